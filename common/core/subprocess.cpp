#include "core/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lab {
namespace {

constexpr int kNotStarted = 127;
constexpr std::size_t kLongestInput = 4096;  // every pipe takes so much without a reader

/// Both ends close with this object, or earlier.
struct Pipe {
  int read_end = -1, write_end = -1;
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  static void close_end(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
  ~Pipe() {
    close_end(read_end);
    close_end(write_end);
  }
};

/// In the child, after fork: only async-signal-safe calls.
[[noreturn]] void become(char* const* argv, int input, int output, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kNotStarted);
  const int nothing = open("/dev/null", O_RDWR);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(nothing, STDERR_FILENO);
  execvp(argv[0], argv);
  _exit(kNotStarted);
}

/// Reads until the end of file; false when the time was up first.
bool read_all(int input, Instant deadline, std::string& text) {
  char buffer[4096];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now());
    pollfd waiting{input, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = read(input, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<ProgramOutput> run_program(const std::vector<std::string>& argv, Nanos timeout,
                                  const std::string& input) {
  if (input.size() > kLongestInput) {
    return Error{ErrorCode::invalid, Happened::no,
                 fmt::format("{} bytes of input are too many", input.size())};
  }
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  Pipe in, out;
  if (!in.open() || !out.open())
    return Error{ErrorCode::exhausted, Happened::no, "no descriptors left for a pipe"};
  if (write(in.write_end, input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
    return Error{ErrorCode::exhausted, Happened::no, "the pipe did not take the input"};
  }
  Pipe::close_end(in.write_end);

  const Instant deadline = now() + timeout;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) become(words.data(), in.read_end, out.write_end, parent);
  Pipe::close_end(out.write_end);
  if (child < 0)
    return Error{ErrorCode::exhausted, Happened::no,
                 fmt::format("cannot start {}: no process left", argv[0])};
  ProgramOutput output;
  const bool finished = read_all(out.read_end, deadline, output.text);
  if (!finished) ::kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!finished) {
    return Error{ErrorCode::timeout, Happened::unknown,
                 fmt::format("{} did not end within {:.0f} s", argv[0], seconds(timeout))};
  }
  output.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (output.exit_status == kNotStarted) {
    return Error{ErrorCode::unavailable, Happened::no, fmt::format("{} is not installed", argv[0])};
  }
  return output;
}

}  // namespace lab
