#include "servers/installed.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <sstream>
#include <vector>

extern char** environ;

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

/// Debian keeps servers in sbin folders, which an ordinary user's PATH lacks.
std::vector<fs::path> program_folders() {
  const char* path = std::getenv("PATH");
  std::istringstream text(std::string(path ? path : "") + ":/usr/local/sbin:/usr/sbin:/usr/bin");
  std::vector<fs::path> folders;
  for (std::string folder; std::getline(text, folder, ':');) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  return folders;
}

std::string find_program(const std::string& name, const std::vector<fs::path>& folders) {
  for (const auto& folder : folders) {
    const auto program = folder / name;
    if (::access(program.c_str(), X_OK) == 0 && fs::is_regular_file(program)) {
      // Links stay: redis-server is one, to a program that looks at the name it was called by.
      return fs::absolute(program).string();
    }
  }
  return {};
}

/// What `program --version` prints; at most one line of it, within 10 s.
std::string version_line(const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string name = program, flag = "--version";
  char* arguments[] = {name.data(), flag.data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &files, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  std::string line;
  if (error == 0) {
    char buffer[256];
    pollfd readable{ends[0], POLLIN, 0};
    if (::poll(&readable, 1, 10'000) == 1) {
      const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
      if (got > 0) line.assign(buffer, static_cast<std::size_t>(got));
    } else {
      ::kill(pid, SIGKILL);
    }
    ::waitpid(pid, nullptr, 0);
  }
  ::close(ends[0]);
  return line.substr(0, line.find('\n'));
}

/// The first thing that looks like a version: digits, dots, digits.
std::string version_in(const std::string& line) {
  for (std::size_t at = 0; at < line.size(); ++at) {
    const auto end = line.find_first_not_of("0123456789.", at);
    const auto word = line.substr(at, end == std::string::npos ? end : end - at);
    if (word.size() >= 2 && word.front() != '.' && word.find('.') != std::string::npos) return word;
    if (!word.empty()) at += word.size() - 1;
  }
  return {};
}

std::string version_of(const std::string& program) {
  if (program.empty()) return {};
  static std::mutex mutex;
  static std::map<std::string, std::string> known;  // asking costs tens of milliseconds
  const std::lock_guard lock(mutex);
  auto& version = known[program];
  if (version.empty()) version = version_in(version_line(program));
  return version;
}

/// /usr/lib/postgresql/17/bin before /usr/lib/postgresql/15/bin, and then PATH.
std::vector<fs::path> postgres_folders() {
  std::vector<std::pair<int, fs::path>> versions;
  std::error_code error;
  for (fs::directory_iterator entry("/usr/lib/postgresql", error), end; !error && entry != end;
       entry.increment(error)) {
    versions.emplace_back(std::atoi(entry->path().filename().c_str()), entry->path() / "bin");
  }
  std::sort(versions.rbegin(), versions.rend());
  std::vector<fs::path> folders;
  for (auto& [number, folder] : versions) folders.push_back(std::move(folder));
  const auto others = program_folders();
  folders.insert(folders.end(), others.begin(), others.end());
  return folders;
}

/// /usr/lib/rabbitmq/lib/rabbitmq_server-4.0.5, where the packages of all supported systems have it; empty when there is
/// none. Its script in /usr/sbin cannot be used: it changes to the user rabbitmq.
fs::path rabbitmq_folder() {
  std::map<std::pair<int, int>, fs::path> versions;
  std::error_code error;
  for (fs::directory_iterator entry("/usr/lib/rabbitmq/lib", error), end; !error && entry != end;
       entry.increment(error)) {
    std::istringstream version(version_in(entry->path().filename().string()));
    int major = 0, minor = 0;
    char dot = '.';
    if (version >> major >> dot >> minor) versions[{major, minor}] = entry->path();
  }
  return versions.empty() ? fs::path{} : versions.rbegin()->second;
}

Installed describe(std::string kind, std::string program, std::string how_to_get) {
  auto version = version_of(program);
  return {std::move(kind), std::move(program), std::move(version), std::move(how_to_get)};
}

}  // namespace

Installed find_redis() {
  return describe("redis", find_program("redis-server", program_folders()),
                  "apt-get install redis-server");
}

Installed find_mariadb() {
  return describe("mariadb", find_program("mariadbd", program_folders()),
                  "apt-get install mariadb-server-core mariadb-client-core");
}

Installed find_postgres() {
  return describe("postgres", find_program("postgres", postgres_folders()),
                  "apt-get install postgresql");
}

std::string find_erlang() {
  return find_program("erl", program_folders());
}

Installed find_rabbitmq() {
  const auto home = rabbitmq_folder();
  const auto program = home / "sbin" / "rabbitmq-server";
  const bool complete =
      !home.empty() && ::access(program.c_str(), X_OK) == 0 && !find_erlang().empty();
  return {"rabbitmq", complete ? program.string() : "",
          complete ? version_in(home.filename().string()) : "", "apt-get install rabbitmq-server"};
}

Error not_installed(const Installed& installed) {
  return {ErrorCode::unavailable, Happened::no,
          installed.kind + " is not installed; type: sudo " + installed.how_to_get};
}

}  // namespace lab::servers
