#include "servers/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "servers/errno_error.h"

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

Result<void> give_to(const fs::path& path, User user) {
  if (user.uid == ::geteuid()) return {};
  if (::lchown(path.c_str(), user.uid, user.gid) == 0) return {};
  return errno_error(errno, "cannot give " + path.string() + " to the server's user");
}

bool speaks_of_an_error(const std::string& line) {
  for (const char* word : {"ERROR", "FATAL", "PANIC", "error:"}) {
    if (line.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string last_line(const fs::path& log) {
  std::ifstream file(log);
  std::string last, last_error;
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (speaks_of_an_error(line)) last_error = line;
    last = std::move(line);
  }
  if (last.empty()) return "its log is empty";
  return last_error.empty() ? last : last_error;
}

Result<void> copy_folder(const fs::path& from, const fs::path& to, User user) {
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error)
    return errno_error(error.value(), "cannot copy " + from.string() + " to " + to.string());
  if (user.uid == ::geteuid()) return {};
  if (auto given = give_to(to, user); !given) return given;
  for (fs::recursive_directory_iterator entry(to, error), end; !error && entry != end;
       entry.increment(error)) {
    if (auto given = give_to(entry->path(), user); !given) return given;
  }
  if (error) return errno_error(error.value(), "cannot read " + to.string());
  return {};
}

Result<void> need_space(const fs::path& folder, std::uint64_t bytes) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) return {};
  const std::uint64_t free = std::uint64_t{info.f_bavail} * info.f_frsize;
  if (free >= bytes) return {};
  const auto megabytes = [](std::uint64_t n) { return std::to_string(n / 1'000'000) + " MB"; };
  return Error{ErrorCode::exhausted, Happened::no,
               folder.string() + " has " + megabytes(free) + " free and a server needs " +
                   megabytes(bytes) + "; set LAB_TMPDIR to a folder with more room"};
}

Result<void> write_private_file(const fs::path& path, const std::string& text, User user) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno_error(errno, "cannot make " + path.string());
  const ssize_t written = ::write(file, text.data(), text.size());
  const int error = written < 0 ? errno : ENOSPC;
  ::close(file);
  if (written != static_cast<ssize_t>(text.size())) {
    return errno_error(error, "cannot write " + path.string());
  }
  return give_to(path, user);
}

Result<void> check_socket_path(const fs::path& socket) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un{}.sun_path) - 1;
  if (socket.string().size() <= kLongest) return {};
  return Error{ErrorCode::invalid, Happened::no,
               "the path of the socket " + socket.string() + " is longer than " +
                   std::to_string(kLongest) + " bytes; set LAB_TMPDIR to a shorter folder"};
}

Result<void> check_database_name(const std::string& name) {
  const bool plain =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  if (plain && !name.empty() && name.size() <= 48) return {};
  return Error{ErrorCode::invalid, Happened::no,
               "'" + name + "' is no database name: use a-z, 0-9 and _"};
}

}  // namespace lab::servers
