#include "confined_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace large_file_streaming {
namespace {

/// A FIFO must not make the open wait, a terminal must not become ours.
constexpr int kOpen = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

File open_beneath(int folder, const char* path) {
  open_how how{};
  how.flags = kOpen;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return File(static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how)));
}

/// What a C string would cut short, and what no file here is called.
bool is_strange(const std::string& path) {
  return path.empty() || path.size() > 4096 || path.starts_with('.') ||
         path.find("/.") != std::string::npos || std::any_of(path.begin(), path.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
         });
}

}  // namespace

ConfinedRoot::How ConfinedRoot::best() {
  static const How how = open_beneath(AT_FDCWD, ".") ? How::kernel : How::walk;
  return how;
}

ConfinedRoot::ConfinedRoot(const std::filesystem::path& folder, How how)
    : how_(how), folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!folder_) throw lab::Failure(failed("cannot open " + folder.string()));
}

Result<File> ConfinedRoot::open(const std::string& path) const {
  if (is_strange(path)) return not_there();
  File file = how_ == How::kernel ? open_beneath(folder_.descriptor(), path.c_str()) : walk(path);
  if (!file && (errno == EMFILE || errno == ENFILE)) return failed("cannot open a file");
  if (!file || !is_regular(file)) return not_there();
  return file;
}

File ConfinedRoot::walk(const std::string& path) const {
  File folder(::fcntl(folder_.descriptor(), F_DUPFD_CLOEXEC, 0));
  for (std::size_t begin = 0; folder;) {
    const std::size_t end = path.find('/', begin);
    const std::string name = path.substr(begin, end - begin);
    if (name.empty() || name == "..") break;  // is_strange() has seen to the latter
    if (end == std::string::npos) return File(::openat(folder.descriptor(), name.c_str(), kOpen));
    folder = File(::openat(folder.descriptor(), name.c_str(), kOpen | O_DIRECTORY));
    begin = end + 1;
  }
  return File();
}

}  // namespace large_file_streaming
