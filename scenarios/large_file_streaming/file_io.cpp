#include "file_io.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace large_file_streaming {

using lab::Error;
using lab::ErrorCode;
using lab::Happened;

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Error failed(std::string_view what, Happened happened) {
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EMFILE || errno == ENOMEM;
  return {errno == ENOENT ? ErrorCode::not_found
          : full          ? ErrorCode::exhausted
                          : ErrorCode::internal,
          happened, fmt::format("{}: {}", what, std::strerror(errno))};
}

Error not_there() {
  return {ErrorCode::not_found, Happened::no, "there is no such file"};
}

bool is_regular(const File& file) {
  struct stat found {};
  return ::fstat(file.descriptor(), &found) == 0 && S_ISREG(found.st_mode);
}

Error shrunk() {
  return {ErrorCode::conflict, Happened::no, "the file has become shorter while it was sent"};
}

Error peer_gone() {
  return {ErrorCode::closed, Happened::unknown, "the peer went, or took nothing for too long"};
}

Result<std::size_t> read_at(int file, std::span<char> buffer, std::uint64_t offset) {
  while (true) {
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return shrunk();
    if (errno != EINTR) return failed("cannot read a file");
  }
}

Result<void> write_whole(int file, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("cannot write a file", Happened::unknown);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace large_file_streaming
