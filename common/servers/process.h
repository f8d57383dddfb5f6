#pragma once
// Processes as /proc shows them (Linux only).

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace lab::servers {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = '?';  // R, S, D, T (stopped), Z (zombie) …
  std::uint64_t start_time =
      0;  // clock ticks since boot: with the pid, a name that is never reused
};

std::optional<Process> find_process(pid_t pid);
std::vector<Process> all_processes();

/// The process itself and all its descendants, parents before children. A child that is born while
/// /proc is being read may be missing: repeat until nothing new turns up.
std::vector<Process> tree_of(pid_t root, const std::vector<Process>& processes);

/// Every thread is stopped by a signal (or the process is gone): SIGSTOP has taken full effect.
bool fully_stopped(pid_t pid);

/// Processes whose working folder is `folder` or lies below it.
std::vector<pid_t> processes_working_in(const std::filesystem::path& folder);

}  // namespace lab::servers
