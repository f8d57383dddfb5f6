#include "stacks.h"

#include <cxxabi.h>
#include <execinfo.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <vector>

namespace thread_pools {
namespace {

constexpr int kDeepest = 32;
constexpr std::size_t kShown = 3;  // frames of a thread
constexpr const char* kOurs = "thread_pools::";

/// Filled by the thread that was signalled: one at a time.
struct Slot {
  std::array<void*, kDeepest> frames{};
  std::atomic<int> depth{0};
  sem_t filled{};
};
Slot slot;

void note_where(int) {
  const int saved = errno;
  slot.depth = backtrace(slot.frames.data(), kDeepest);
  sem_post(&slot.filled);
  errno = saved;
}

/// "program(_ZN3fooEv+0x12) [0x…]": "foo", without what it was called with.
std::string function_of(const std::string& symbol) {
  const auto open = symbol.find('('), plus = symbol.find('+', open);
  if (open == std::string::npos || plus == std::string::npos) return {};
  const std::string mangled = symbol.substr(open + 1, plus - open - 1);
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? readable.get() : mangled;
  // A thread's own main is a template of the standard library, around a function of ours.
  if (const auto ours = name.find(kOurs); ours != std::string::npos) name = name.substr(ours);
  name = name.substr(0, name.find_first_of("(<"));
  return name;
}

std::string where(const std::array<void*, kDeepest>& frames, int depth) {
  const std::unique_ptr<char*, decltype(&std::free)> symbols(
      backtrace_symbols(frames.data(), depth), &std::free);
  std::vector<std::string> named;
  bool ours = false;
  for (int i = 2; symbols && i < depth && named.size() < kShown; ++i) {  // past the handler
    std::string name = function_of(symbols.get()[i]);
    if (name.empty() || name.starts_with("__")) continue;
    // The last place is for a function of ours: how many of the library's stand before it, is the compiler's affair.
    if (!ours && named.size() + 1 == kShown && !name.starts_with(kOurs)) continue;
    if (name.starts_with(kOurs)) {
      ours = true;
      name = name.substr(std::char_traits<char>::length(kOurs));
    }
    if (named.empty() || named.back() != name) named.push_back(std::move(name));
  }
  if (!ours) return {};
  std::string line;
  for (const auto& name : named) line += (line.empty() ? "" : " < ") + name;
  return line;
}

std::string stack_of(pid_t thread) {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  if (syscall(SYS_tgkill, getpid(), thread, SIGUSR2) != 0) return {};
  while (sem_timedwait(&slot.filled, &until) != 0) {
    if (errno != EINTR) return {};
  }
  return where(slot.frames, slot.depth);
}

std::vector<pid_t> other_threads() {
  std::vector<pid_t> threads;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const pid_t thread = std::atoi(entry.path().filename().c_str());
    if (thread != static_cast<pid_t>(syscall(SYS_gettid))) threads.push_back(thread);
  }
  return threads;
}

}  // namespace

std::string stacks_of_other_threads() {
  sem_init(&slot.filled, 0, 0);
  void* first[1];
  (void)backtrace(first, 1);  // loads what it needs, which no signal handler may
  struct sigaction action {};
  action.sa_handler = note_where;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
  std::map<std::string, int> lines;
  for (const pid_t thread : other_threads()) {
    if (const auto line = stack_of(thread); !line.empty()) ++lines[line];
  }
  std::string text;
  for (const auto& [line, threads] : lines) {
    text += (text.empty() ? "" : "; ") +
            (threads > 1 ? std::to_string(threads) + " threads: " : std::string()) + line;
  }
  return text;
}

bool another_thread_is_ready() {
  for (const pid_t thread : other_threads()) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string stat;
    std::getline(file, stat);
    // "tid (name) state …"; the name may hold anything.
    const auto name_ends = stat.rfind(") ");
    if (name_ends != std::string::npos && stat.compare(name_ends + 2, 1, "R") == 0) return true;
  }
  return false;
}

}  // namespace thread_pools
