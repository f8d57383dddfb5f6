// lab_supervisor: the parent of a run's servers. The run starts it (servers/channel.cpp) and talks
// to it over a socket; when the run goes, however it goes, everything that it started goes too.
//
// One thread, on purpose: PR_SET_PDEATHSIG fires when the *thread* that forked ends.

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <sstream>

#include "core/clock.h"
#include "servers/errno_error.h"
#include "servers/folder.h"
#include "servers/message.h"
#include "servers/process.h"

namespace lab::servers {
namespace {

namespace fs = std::filesystem;

struct Spawn {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string folder, log;
  std::vector<int> cpus;
  std::vector<std::string> arguments, environment;
};

Result<Spawn> parse_spawn(const Fields& fields) {
  if (fields.size() < 7) return Error{ErrorCode::protocol, Happened::no, "spawn: too few fields"};
  Spawn spawn;
  spawn.uid = static_cast<uid_t>(std::stoul(fields[1]));
  spawn.gid = static_cast<gid_t>(std::stoul(fields[2]));
  spawn.folder = fields[3];
  spawn.log = fields[4];
  std::istringstream cpus(fields[5]);
  for (std::string cpu; std::getline(cpus, cpu, ',');) spawn.cpus.push_back(std::stoi(cpu));
  const auto count = std::stoul(fields[6]);
  if (count == 0 || fields.size() < 7 + count) {
    return Error{ErrorCode::protocol, Happened::no, "spawn: too few arguments"};
  }
  const auto environment = fields.begin() + 7 + static_cast<std::ptrdiff_t>(count);
  spawn.arguments.assign(fields.begin() + 7, environment);
  spawn.environment.assign(environment, fields.end());
  return spawn;
}

std::vector<char*> c_strings(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// What the new process says through a pipe when it could not become the server.
struct SpawnFailure {
  char step[96];
  int error;
};

[[noreturn]] void fail(int report, const char* step) {
  SpawnFailure failure{};
  failure.error = errno;
  for (std::size_t i = 0; step[i] != '\0' && i + 1 < sizeof failure.step; ++i) {
    failure.step[i] = step[i];
  }
  [[maybe_unused]] const auto ignored = ::write(report, &failure, sizeof failure);
  ::_exit(127);
}

void use_cpus(const std::vector<int>& cpus, int report) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) fail(report, "use the chosen CPUs");
}

void become_user(const Spawn& spawn, int report) {
  if (spawn.uid == ::geteuid()) return;
  if (::setgroups(0, nullptr) != 0 || ::setgid(spawn.gid) != 0 || ::setuid(spawn.uid) != 0) {
    fail(report, "change to the server's user");
  }
}

void connect_streams(const std::string& log, int report) {
  const int null = ::open("/dev/null", O_RDONLY);
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  if (null < 0 || file < 0) fail(report, "open its log");
  ::dup2(null, STDIN_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::close_range(4, ~0U, CLOSE_RANGE_CLOEXEC);
}

[[noreturn]] void become_server(Spawn& spawn, pid_t supervisor, int report) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(077);
  const rlimit no_core_dump{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core_dump);
  use_cpus(spawn.cpus, report);
  become_user(spawn, report);
  // After setuid, which clears it; and the supervisor may have died before it was set.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(127);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::chdir(spawn.folder.c_str()) != 0) fail(report, "reach its folder (see LAB_TMPDIR)");
  connect_streams(spawn.log, report);
  ::execve(spawn.arguments[0].c_str(), c_strings(spawn.arguments).data(),
           c_strings(spawn.environment).data());
  fail(report, "be executed");
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  return "was ended by signal " + std::to_string(WTERMSIG(status));
}

sigset_t handled_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
  return set;
}

void wait_for_a_child_a_moment() {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const timespec moment{0, 1'000'000};
  ::sigtimedwait(&child, nullptr, &moment);
}

class Keeper {
 public:
  Result<pid_t> spawn(Spawn request);
  Result<void> kill(pid_t root);
  Result<void> stop(pid_t root);
  Result<void> resume(pid_t root);
  Result<std::string> state(pid_t root);
  Result<fs::path> make_folder(const Fields& fields);
  Result<void> remove_folder(const fs::path& folder);
  void reap();
  void end_everything();

 private:
  struct Root {
    bool running = true;
    int status = 0;
  };

  Result<void> known(pid_t root) const;
  std::vector<Process> orphans(const std::vector<Process>& processes) const;
  /// SIGKILL, again and again, to all that `doomed` finds, until it finds nothing.
  template <class Doomed>
  Result<void> kill_all(Doomed doomed);

  std::map<pid_t, Root> roots_;
  std::set<fs::path> folders_;
};

Result<pid_t> Keeper::spawn(Spawn request) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return errno_error(errno, "cannot make a pipe");
  const pid_t supervisor = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become_server(request, supervisor, report[1]);
  const int error = errno;
  ::close(report[1]);
  SpawnFailure failure{};
  const ssize_t got = pid > 0 ? ::read(report[0], &failure, sizeof failure) : 0;
  ::close(report[0]);
  if (pid < 0) return errno_error(error, "cannot start another process");
  if (got == sizeof failure) {
    ::waitpid(pid, nullptr, 0);
    return errno_error(failure.error,
                       request.arguments[0] + " cannot " + failure.step + " in " + request.folder);
  }
  roots_[pid] = Root{};
  return pid;
}

Result<void> Keeper::known(pid_t root) const {
  const auto found = roots_.find(root);
  if (found != roots_.end() && found->second.running) return {};
  return Error{ErrorCode::not_found, Happened::no, "no running server has this process id"};
}

/// Children of ours that no one asked for: left behind by a server that is gone, so nobody's.
std::vector<Process> Keeper::orphans(const std::vector<Process>& processes) const {
  std::vector<Process> found;
  for (const auto& process : processes) {
    if (process.parent != ::getpid()) continue;
    const auto root = roots_.find(process.pid);
    if (root != roots_.end() && root->second.running) continue;
    const auto tree = tree_of(process.pid, processes);
    found.insert(found.end(), tree.begin(), tree.end());
  }
  return found;
}

template <class Doomed>
Result<void> Keeper::kill_all(Doomed doomed) {
  const auto give_up = now() + 5s;
  while (true) {
    const auto left = doomed(all_processes());
    if (left.empty()) return {};
    if (now() > give_up) {
      return Error{ErrorCode::timeout, Happened::unknown,
                   "process " + std::to_string(left.front().pid) + " does not end"};
    }
    for (const auto& process : left) ::kill(process.pid, SIGKILL);
    wait_for_a_child_a_moment();
    reap();
  }
}

Result<void> Keeper::kill(pid_t root) {
  const auto killed = kill_all([&](const std::vector<Process>& processes) {
    auto doomed = orphans(processes);
    if (known(root)) {
      const auto tree = tree_of(root, processes);
      doomed.insert(doomed.end(), tree.begin(), tree.end());
    }
    return doomed;
  });
  if (killed) roots_.erase(root);
  return killed;
}

Result<void> Keeper::stop(pid_t root) {
  if (auto found = known(root); !found) return found;
  const auto give_up = now() + 5s;
  while (now() < give_up) {
    // A child may be born before its parent stops: done when a whole look finds all stopped.
    bool all_stopped = true;
    for (const auto& process : tree_of(root, all_processes())) {
      if (fully_stopped(process.pid)) continue;
      all_stopped = false;
      ::kill(process.pid, SIGSTOP);
    }
    if (all_stopped) return {};
    ::usleep(200);
  }
  return Error{ErrorCode::timeout, Happened::unknown, "the server does not stop"};
}

Result<void> Keeper::resume(pid_t root) {
  if (auto found = known(root); !found) return found;
  for (const auto& process : tree_of(root, all_processes())) ::kill(process.pid, SIGCONT);
  return {};
}

Result<std::string> Keeper::state(pid_t root) {
  reap();
  const auto found = roots_.find(root);
  if (found == roots_.end()) return std::string("gone");
  return found->second.running ? std::string("running") : describe_status(found->second.status);
}

Result<fs::path> Keeper::make_folder(const Fields& fields) {
  const fs::path parent = fields[1].empty() ? temporary_root() : fs::path(fields[1]);
  auto folder = make_marked_folder(parent, static_cast<uid_t>(std::stoul(fields[2])),
                                   static_cast<gid_t>(std::stoul(fields[3])));
  if (folder) folders_.insert(*folder);
  return folder;
}

Result<void> Keeper::remove_folder(const fs::path& folder) {
  if (folders_.erase(folder) == 0) {
    return Error{ErrorCode::not_found, Happened::no, folder.string() + " is not a folder of ours"};
  }
  return remove_marked_folder(folder);
}

void Keeper::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (const auto root = roots_.find(pid); root != roots_.end()) root->second = {false, status};
  }
}

void Keeper::end_everything() {
  const auto all_of_us = [](const std::vector<Process>& processes) {
    auto tree = tree_of(::getpid(), processes);
    tree.erase(tree.begin());
    return tree;
  };
  (void)kill_all(all_of_us);
  for (const auto& folder : folders_) (void)remove_marked_folder(folder);
}

Fields ok_or_error(const Result<void>& result) {
  return result ? Fields{"ok"} : error_message(result.error());
}

Fields answer(Keeper& keeper, const Fields& question) {
  const auto& verb = question.at(0);
  if (verb == "spawn") {
    auto request = parse_spawn(question);
    if (!request) return error_message(request.error());
    const auto pid = keeper.spawn(std::move(*request));
    return pid ? Fields{"ok", std::to_string(*pid)} : error_message(pid.error());
  }
  if (verb == "make_folder" && question.size() == 4) {
    const auto folder = keeper.make_folder(question);
    return folder ? Fields{"ok", folder->string()} : error_message(folder.error());
  }
  if (verb == "remove_folder") return ok_or_error(keeper.remove_folder(question.at(1)));
  if (verb == "state") return {"ok", *keeper.state(std::stoi(question.at(1)))};
  if (verb == "kill") return ok_or_error(keeper.kill(std::stoi(question.at(1))));
  if (verb == "stop") return ok_or_error(keeper.stop(std::stoi(question.at(1))));
  if (verb == "continue") return ok_or_error(keeper.resume(std::stoi(question.at(1))));
  return error_message({ErrorCode::protocol, Happened::no, "unknown request " + verb});
}

/// Serves the run until it says quit, goes away, or somebody ends the supervisor by a signal.
/// True when the run waits for an answer to its quit.
bool serve(Keeper& keeper, int signals, int run) {
  pollfd watched[] = {{kSupervisorSocket, POLLIN, 0}, {signals, POLLIN, 0}, {run, POLLIN, 0}};
  while (true) {
    if (::poll(watched, 3, -1) < 0 && errno != EINTR) return false;
    if (watched[2].revents != 0) return false;
    if (watched[1].revents != 0) {
      signalfd_siginfo info{};
      if (::read(signals, &info, sizeof info) != sizeof info) continue;
      if (info.ssi_signo != SIGCHLD) return false;
      keeper.reap();
    }
    if (watched[0].revents == 0) continue;
    const auto question = receive_message(kSupervisorSocket);
    if (!question || question->empty()) return false;
    if (question->front() == "quit") return true;
    if (!send_message(kSupervisorSocket, answer(keeper, *question))) return false;
  }
}

int supervise() {
  ::close_range(kSupervisorSocket + 1, ~0U, 0);
  ::fcntl(kSupervisorSocket, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const sigset_t handled = handled_signals();
  ::sigprocmask(SIG_SETMASK, &handled, nullptr);
  const int signals = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  // The socket closes with the run, unless a child that the run forked holds a copy of it.
  const int run = static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0));

  sweep_stale_folders(temporary_root());
  if (const auto cache = cache_root(); !cache.empty()) sweep_stale_folders(cache);

  Keeper keeper;
  if (!send_message(kSupervisorSocket, {"ok"})) return 1;
  const bool asked = serve(keeper, signals, run);
  keeper.end_everything();
  if (asked) (void)send_message(kSupervisorSocket, {"ok"});
  return 0;
}

}  // namespace
}  // namespace lab::servers

int main() {
  return lab::servers::supervise();
}
