#include "upload_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <random>

namespace large_file_streaming {

using lab::Happened;

DiskFolder::DiskFolder(const std::filesystem::path& folder)
    : path_(folder), folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!folder_) throw lab::Failure(failed("cannot open " + folder.string()));
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(kTemporary)) remove(name);
  }
}

Result<File> DiskFolder::open(const std::string& name, int flags) const {
  constexpr mode_t kMode = 0644;
  File file(::openat(folder_.descriptor(), name.c_str(),
                     flags | O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!file) return failed("cannot make " + (path_ / name).string());
  return file;
}

Result<File> DiskFolder::create_temporary(std::string& name) {
  static thread_local std::random_device random;
  const std::string own =
      std::string(kTemporary) + std::to_string(::getpid()) + '-' + std::to_string(random());
  auto file = open(own, O_EXCL);
  if (file) name = own;
  return file;
}

Result<File> DiskFolder::truncate(const std::string& name) {
  return open(name, O_TRUNC);
}

Result<void> DiskFolder::write(const File& file, std::span<const char> bytes) {
  return write_whole(file.descriptor(), bytes);
}

Result<void> DiskFolder::sync(const File& file) {
  if (::fsync(file.descriptor()) != 0) return failed("cannot sync a file", Happened::unknown);
  return {};
}

Result<void> DiskFolder::rename(const std::string& from, const std::string& to) {
  const int folder = folder_.descriptor();
  if (::renameat(folder, from.c_str(), folder, to.c_str()) != 0)
    return failed("cannot rename to " + (path_ / to).string());
  return {};
}

Result<void> DiskFolder::sync_names() {
  return sync(folder_);
}

void DiskFolder::remove(const std::string& name) {
  ::unlinkat(folder_.descriptor(), name.c_str(), 0);
}

std::vector<std::string> upload_points() {
  return {kFileOpened, kBytesWritten, kSynced, kRenamed};
}

Result<File> ObservedFolder::create_temporary(std::string& name) {
  auto done = inner_.create_temporary(name);
  points_.pass(kFileOpened);
  return done;
}

Result<File> ObservedFolder::truncate(const std::string& name) {
  auto done = inner_.truncate(name);
  points_.pass(kFileOpened);
  return done;
}

/// In pieces, so that a death can fall between them.
Result<void> ObservedFolder::write(const File& file, std::span<const char> bytes) {
  constexpr std::size_t kPiece = 64 * 1024;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(kPiece, bytes.size()));
    if (auto written = inner_.write(file, piece); !written) return written;
    bytes = bytes.subspan(piece.size());
    points_.pass(kBytesWritten);
  }
  return {};
}

Result<void> ObservedFolder::sync(const File& file) {
  auto done = inner_.sync(file);
  points_.pass(kSynced);
  return done;
}

Result<void> ObservedFolder::rename(const std::string& from, const std::string& to) {
  auto done = inner_.rename(from, to);
  points_.pass(kRenamed);
  return done;
}

bool is_upload_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
         });
}

}  // namespace large_file_streaming
