#include "servers/channel.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/stop.h"
#include "servers/errno_error.h"
#include "servers/files.h"

extern char** environ;

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

constexpr const char* kProgram = "lab_supervisor";
// Removing a folder waits for the disk, and a disk that others keep busy stalls for seconds. That the
// supervisor is gone is noticed at once; this only ends the wait for one that was stopped.
constexpr timeval kSupervisorLimit{60, 0};

fs::path supervisor_program() {
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error).parent_path() / kProgram;
  if (::access(program.c_str(), X_OK) == 0) return program;
  throw Failure(Error{ErrorCode::unavailable, Happened::no,
                      program.string() + " is missing; build the target lab_supervisor"});
}

/// A session of its own, so that Ctrl-C does not reach the servers; signals as a new program
/// expects them. Its command line is one word: `pkill -f SCENARIO` must not hit it.
pid_t start_program(const fs::path& program, int its_socket) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, its_socket, kSupervisorSocket);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  char name[] = "lab_supervisor";
  char* arguments[] = {name, nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &files, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw Failure(errno_error(error, "cannot start " + program.string()));
  return pid;
}

std::string joined(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

/// The little that servers need; nothing of the user's own settings reaches them.
std::vector<std::string> environment(const fs::path& folder) {
  const char* path = std::getenv("PATH");
  return {"PATH=" + std::string(path ? path : "") +
              ":/usr/local/sbin:/usr/local/bin:/usr/sbin:"
              "/usr/bin:/sbin:/bin",
          "LC_ALL=C", "TZ=UTC", "HOME=" + folder.string(), "TMPDIR=" + folder.string()};
}

}  // namespace

User this_user() {
  return {::geteuid(), ::getegid()};
}

Supervisor::Channel::Channel() {
  const auto program = supervisor_program();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Failure(errno_error(errno, "cannot make a socket for the supervisor"));
  }
  socket_ = ends[0];
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kSupervisorLimit, sizeof kSupervisorLimit);
  supervisor_ = start_program(program, ends[1]);
  ::close(ends[1]);
  if (const auto ready = receive_message(socket_); !ready) {
    ::close(socket_);
    ::waitpid(supervisor_, nullptr, 0);
    throw Failure(Error{ErrorCode::unavailable, Happened::no,
                        program.string() + " did not start: " + ready.error().message});
  }
}

Supervisor::Channel::~Channel() {
  (void)ask({"quit"});
  ::close(socket_);
  ::waitpid(supervisor_, nullptr, 0);
}

void Supervisor::Channel::place(std::vector<int> cpus) {
  const std::lock_guard lock(mutex_);
  cpus_ = joined(cpus);
}

Result<Fields> Supervisor::Channel::ask(const Fields& question) {
  const std::lock_guard lock(mutex_);
  auto answer = send_message(socket_, question);
  if (answer) {
    if (auto fields = receive_message(socket_))
      return answer_of(std::move(*fields));
    else
      answer = fields.error();
  }
  if (answer.error().code != ErrorCode::closed) return answer.error();
  return Error{ErrorCode::unavailable, Happened::unknown,
               "the supervisor of this run is gone, and its servers with it"};
}

Result<void> Supervisor::Channel::command(const char* verb, const std::string& argument) {
  if (auto answer = ask({verb, argument}); !answer) return answer.error();
  return {};
}

Result<fs::path> Supervisor::Channel::make_folder(User user, const fs::path& parent) {
  auto answer =
      ask({"make_folder", parent.string(), std::to_string(user.uid), std::to_string(user.gid)});
  if (!answer) return answer.error();
  return fs::path(answer->at(0));
}

Result<void> Supervisor::Channel::remove_folder(const fs::path& folder) {
  return command("remove_folder", folder.string());
}

Result<pid_t> Supervisor::Channel::spawn(const Command& wanted) {
  Fields question{"spawn", std::to_string(wanted.user.uid), std::to_string(wanted.user.gid),
                  wanted.folder.string(), wanted.log};
  {
    const std::lock_guard lock(mutex_);
    question.push_back(cpus_);
  }
  question.push_back(std::to_string(wanted.arguments.size()));
  question.insert(question.end(), wanted.arguments.begin(), wanted.arguments.end());
  for (const auto& variables : {environment(wanted.folder), wanted.environment}) {
    question.insert(question.end(), variables.begin(), variables.end());
  }
  auto answer = ask(question);
  if (!answer) return answer.error();
  return static_cast<pid_t>(std::stoi(answer->at(0)));
}

Result<void> Supervisor::Channel::kill(pid_t pid) {
  return command("kill", std::to_string(pid));
}
Result<void> Supervisor::Channel::stop(pid_t pid) {
  return command("stop", std::to_string(pid));
}
Result<void> Supervisor::Channel::resume(pid_t pid) {
  return command("continue", std::to_string(pid));
}

Result<std::string> Supervisor::Channel::state(pid_t pid) {
  auto answer = ask({"state", std::to_string(pid)});
  if (!answer) return answer.error();
  return answer->at(0);
}

Result<void> Supervisor::Channel::run(const Command& wanted, Nanos limit) {
  const auto pid = spawn(wanted);
  if (!pid) return pid.error();
  const auto give_up = now() + limit;
  auto its_state = state(*pid);
  while (its_state && *its_state == "running" && now() < give_up && !stop_requested()) {
    sleep_for(2ms);
    its_state = state(*pid);
  }
  (void)kill(*pid);
  if (!its_state) return its_state.error();
  if (*its_state == "ended with status 0") return {};
  const auto what = fs::path(wanted.arguments[0]).filename().string();
  if (stop_requested()) return Error{ErrorCode::closed, Happened::no, what + " was interrupted"};
  if (*its_state == "running") {
    return Error{ErrorCode::timeout, Happened::no, what + " did not come to an end"};
  }
  return Error{ErrorCode::unavailable, Happened::no,
               what + " " + *its_state + ": " + last_line(wanted.folder / wanted.log)};
}

}  // namespace lab::servers
