#include "harness/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lab::harness {

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view content) {
  const std::string temporary = path.string() + ".part";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return file_error("write", path, errno);
  // Some file systems tell of a full disk only when asked to sync.
  int error = write_all(descriptor, content) && ::fsync(descriptor) == 0 ? 0 : errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(temporary.c_str());
  return file_error("write", path, error);
}

Error file_error(std::string_view what, const std::filesystem::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return {full ? ErrorCode::exhausted : ErrorCode::unavailable, Happened::no,
          fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error))};
}

}  // namespace lab::harness
