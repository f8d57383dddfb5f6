#include "actors/actor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "actors/spawner.h"

namespace lab::actors {
namespace {

constexpr int kNotStarted = 127;
constexpr Nanos kOrdersLimit = 30s;  // an actor reads its orders first; one that does not is stuck

Error system_error(std::string_view what) {
  const ErrorCode code = errno == EAGAIN || errno == EMFILE || errno == ENOMEM
                             ? ErrorCode::exhausted
                             : ErrorCode::internal;
  return {code, Happened::no, fmt::format("{}: {}", what, std::strerror(errno))};
}

int milliseconds_left(Instant deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// False when the time is up.
bool wait_for(int descriptor, short events, Instant deadline) {
  while (true) {
    pollfd waiting{descriptor, events, 0};
    const int ready = ::poll(&waiting, 1, milliseconds_left(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

cpu_set_t cpu_set(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  return set;
}

/// All that the new process needs, made before the fork: after it, only async-signal-safe calls.
struct Birth {
  std::string program, name, role;
  char* argv[3];
  cpu_set_t cpus;
  bool placed;
  int input;
  pid_t run;

  Birth(const ActorOptions& options, int actors_end)
      : program(options.program),
        name(std::filesystem::path(program == "/proc/self/exe"
                                       ? std::filesystem::read_symlink(program)
                                       : std::filesystem::path(program))
                 .filename()),
        role("--role=" + options.role),
        argv{name.data(), role.data(), nullptr},
        cpus(cpu_set(options.cpus)),
        placed(!options.cpus.empty()),
        input(actors_end),
        run(::getpid()) {}
};

[[noreturn]] void become_actor(const Birth& birth) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != birth.run) ::_exit(kNotStarted);  // it died before the kernel knew
  ::setpgid(0, 0);
  const rlimit no_core_dump{0, 0};  // passwords
  ::setrlimit(RLIMIT_CORE, &no_core_dump);
  // First the run's own handlers go: a SIGTERM that is waiting already must end this process and not be swallowed by them.
  for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (birth.placed) ::sched_setaffinity(0, sizeof birth.cpus, &birth.cpus);
  const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (::dup2(birth.input, STDIN_FILENO) < 0 || ::dup2(nothing, STDOUT_FILENO) < 0)
    ::_exit(kNotStarted);
  // A socket of the run's that lived on here could not be closed or reset by the run.
  ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  ::execv(birth.program.c_str(), birth.argv);
  ::_exit(kNotStarted);
}

}  // namespace

std::string describe(const Ending& ending) {
  return ending.killed() ? fmt::format("was ended by signal {}", ending.signal)
                         : fmt::format("exited with status {}", ending.status);
}

struct Actor::State {
  pid_t pid = 0;
  int process = -1;  // a pidfd
  int socket = -1;   // the actor's standard input; it can speak through it, too
  std::mutex mutex;  // guards what follows, and that nobody signals a pid that has been reaped
  std::optional<Ending> ending;
  std::mutex reading;
  std::string unread;  // guarded by `reading`

  ~State() {
    for (const int descriptor : {process, socket}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }

  void signal(int number) {
    const std::lock_guard lock(mutex);
    if (!ending) ::kill(pid, number);
  }

  std::optional<Ending> reap(int options) {
    const std::lock_guard lock(mutex);
    if (ending) return ending;
    int status = 0;
    pid_t reaped = 0;
    do {
      reaped = ::waitpid(pid, &status, options);
    } while (reaped < 0 && errno == EINTR);
    if (reaped != pid) return std::nullopt;
    ending = WIFSIGNALED(status) ? Ending{0, WTERMSIG(status)} : Ending{WEXITSTATUS(status), 0};
    return ending;
  }

  void send_all(std::string_view bytes) {
    const Instant deadline = now() + kOrdersLimit;
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EINTR && (errno != EAGAIN || !wait_for(socket, POLLOUT, deadline))) {
        throw Failure(system_error("cannot give an actor its orders"));
      }
    }
  }
};

Actor::Actor(const ActorOptions& options) : state_(std::make_unique<State>()) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw Failure(system_error("cannot make a socket for an actor"));
  state_->socket = ends[0];
  const Birth birth(options, ends[1]);
  state_->pid = spawner().fork_then([&birth] { become_actor(birth); });
  ::close(ends[1]);
  if (state_->pid < 0) throw Failure(system_error("cannot start another process"));
  state_->process = static_cast<int>(::syscall(SYS_pidfd_open, state_->pid, 0));
  try {
    if (state_->process < 0) throw Failure(system_error("cannot watch an actor"));
    state_->send_all(fmt::format("{}\n", options.orders.size()));
    state_->send_all(options.orders);
  } catch (const Failure&) {
    kill();
    throw;
  }
}

Actor::~Actor() {
  kill();
}

pid_t Actor::pid() const {
  return state_->pid;
}

int Actor::ended_descriptor() const {
  return state_->process;
}

void Actor::kill() {
  state_->signal(SIGKILL);
  (void)state_->reap(0);
}

void Actor::pause() {
  const std::lock_guard lock(state_->mutex);
  if (state_->ending || ::kill(state_->pid, SIGSTOP) != 0) return;
  siginfo_t seen{};  // it may end instead: then it stays to be reaped
  while (::waitid(P_PID, static_cast<id_t>(state_->pid), &seen, WSTOPPED | WEXITED | WNOWAIT) !=
             0 &&
         errno == EINTR) {
  }
}

void Actor::resume() {
  state_->signal(SIGCONT);
}

void Actor::terminate() {
  state_->signal(SIGTERM);
}

std::optional<Ending> Actor::wait(Nanos limit) {
  if (auto ending = state_->reap(WNOHANG)) return ending;
  if (!wait_for(state_->process, POLLIN, now() + limit)) return std::nullopt;
  return state_->reap(0);
}

Result<std::string> Actor::next_line(Nanos limit) {
  const std::lock_guard lock(state_->reading);
  const Instant deadline = now() + limit;
  std::string& unread = state_->unread;
  while (true) {
    if (const auto end = unread.find('\n'); end != std::string::npos) {
      std::string line = unread.substr(0, end);
      unread.erase(0, end + 1);
      return line;
    }
    if (!wait_for(state_->socket, POLLIN, deadline))
      return Error{ErrorCode::timeout, Happened::no, "the actor has said nothing"};
    char buffer[4096];
    const ssize_t got = ::recv(state_->socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0) {
      unread.append(buffer, static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      return Error{ErrorCode::closed, Happened::no, "the actor has ended"};
    }
  }
}

Result<void> Actor::place(const std::vector<int>& cpus) {
  const std::lock_guard lock(state_->mutex);
  const auto gone = Error{ErrorCode::not_found, Happened::no, "the actor has ended"};
  if (state_->ending) return gone;
  const cpu_set_t set = cpu_set(cpus);
  std::error_code error;
  const auto tasks = fmt::format("/proc/{}/task", state_->pid);
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    const auto thread = static_cast<pid_t>(std::stol(task.path().filename().string()));
    if (::sched_setaffinity(thread, sizeof set, &set) == 0 || errno == ESRCH) continue;
    return Error{ErrorCode::invalid, Happened::no,
                 fmt::format("cannot place an actor: {}", std::strerror(errno))};
  }
  if (error) return gone;
  return {};
}

}  // namespace lab::actors
