#include "servers/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "core/clock.h"
#include "core/log.h"
#include "servers/errno_error.h"
#include "servers/process.h"

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

constexpr const char* kMarker = ".lab-owner";
constexpr const char* kPrefix = "lab-";

std::string advice(const fs::path& parent) {
  return "set LAB_TMPDIR to a folder that can be written and has room (now " + parent.string() +
         ")";
}

/// Process ids mean nothing in another PID namespace (a container that shares /tmp).
std::string pid_namespace() {
  char target[64];
  const ssize_t length = ::readlink("/proc/self/ns/pid", target, sizeof target);
  return length > 0 ? std::string(target, static_cast<std::size_t>(length)) : "?";
}

std::string marker_text() {
  const auto self = find_process(::getpid());
  return std::to_string(::getpid()) + " " + std::to_string(self ? self->start_time : 0) + " " +
         pid_namespace() + "\n";
}

bool write_file(const fs::path& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(file);
  errno = error;
  return written;
}

/// The marker's text, when it is a plain file that this user wrote.
std::optional<std::string> read_marker(const fs::path& folder) {
  const int file = ::open((folder / kMarker).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct stat info {};
  char buffer[256];
  ssize_t got = -1;
  if (::fstat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid()) {
    got = ::read(file, buffer, sizeof buffer);
  }
  ::close(file);
  if (got < 0) return std::nullopt;
  return std::string(buffer, static_cast<std::size_t>(got));
}

bool owner_is_gone(const std::string& marker) {
  std::istringstream text(marker);
  pid_t pid = 0;
  std::uint64_t start_time = 0;
  std::string its_namespace;
  if (!(text >> pid >> start_time >> its_namespace)) return false;
  if (its_namespace != pid_namespace()) return false;
  const auto owner = find_process(pid);
  return !owner || owner->state == 'Z' || owner->start_time != start_time;
}

// PostgreSQL keeps a few bytes of System V shared memory, which outlive a kill -9. Line 7 of
// postmaster.pid says "KEY ID" (miscadmin.h, LOCK_FILE_LINE_SHMEM_KEY).
void remove_shared_memory(const fs::path& folder) {
  std::ifstream file(folder / "data" / "postmaster.pid");
  std::string line;
  for (int number = 1; number <= 7; ++number) {
    if (!std::getline(file, line)) return;
  }
  std::istringstream words(line);
  long key = 0;
  int id = 0;
  struct shmid_ds info {};
  if (!(words >> key >> id) || ::shmctl(id, IPC_STAT, &info) != 0) return;
  const bool same = static_cast<key_t>(key) == info.shm_perm.__key;
  if (same && info.shm_nattch == 0) ::shmctl(id, IPC_RMID, nullptr);
}

void kill_processes_working_in(const fs::path& folder) {
  const auto give_up = now() + 1s;
  for (auto left = processes_working_in(folder); !left.empty() && now() < give_up;
       left = processes_working_in(folder)) {
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    ::usleep(1000);
  }
}

fs::path absolute_or_empty(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return {};
  std::error_code ignored;
  return fs::absolute(value, ignored);
}

}  // namespace

fs::path temporary_root() {
  for (const char* variable : {"LAB_TMPDIR", "TMPDIR"}) {
    if (auto path = absolute_or_empty(variable); !path.empty()) return path;
  }
  return "/tmp";
}

fs::path cache_root() {
  if (auto path = absolute_or_empty("XDG_CACHE_HOME"); !path.empty()) {
    return path / "system-design-lab";
  }
  if (auto path = absolute_or_empty("HOME"); !path.empty()) {
    return path / ".cache" / "system-design-lab";
  }
  return {};
}

Result<fs::path> make_marked_folder(const fs::path& parent, uid_t uid, gid_t gid) {
  std::string path = (parent / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) {
    return errno_error(errno, "cannot make a folder for a server; " + advice(parent));
  }
  if (!write_file(fs::path(path) / kMarker, marker_text()) ||
      (uid != ::geteuid() && ::chown(path.c_str(), uid, gid) != 0)) {
    const int error = errno;
    std::error_code ignored;
    fs::remove_all(path, ignored);
    return errno_error(error, "cannot make a folder for a server; " + advice(parent));
  }
  return fs::path(path);
}

Result<void> remove_marked_folder(const fs::path& folder) {
  if (!read_marker(folder)) {
    return Error{ErrorCode::invalid, Happened::no,
                 folder.string() + " is not removed: it holds no marker of this user"};
  }
  remove_shared_memory(folder);
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename() != kMarker) fs::remove_all(entry->path(), error);
  }
  // The marker goes last: whoever is killed half-way leaves a folder that can still be swept.
  if (!error) fs::remove_all(folder, error);
  if (error) return errno_error(error.value(), "cannot remove " + folder.string());
  return {};
}

void sweep_stale_folders(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto& folder = entry->path();
    if (!folder.filename().string().starts_with(kPrefix)) continue;
    const auto marker = read_marker(folder);
    if (!marker || !owner_is_gone(*marker)) continue;
    log::info("removing {}: its run is gone", folder.string());
    kill_processes_working_in(folder);
    if (const auto removed = remove_marked_folder(folder); !removed) {
      log::warning("{}", describe(removed.error()));
    }
  }
}

}  // namespace lab::servers
