#include "servers/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace lab::servers {
namespace {

std::string read_small_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char buffer[1024];
  const ssize_t got = ::read(file, buffer, sizeof buffer);
  ::close(file);
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string{};
}

// "PID (NAME) STATE PPID … " (proc(5)). NAME may hold spaces and brackets, so look for the last
// one.
std::optional<Process> parse_stat(const std::string& stat) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  Process process;
  process.pid = std::atoi(stat.c_str());
  const char* rest = stat.c_str() + name_end + 1;
  int parent = 0;
  unsigned long long start_time = 0;
  if (std::sscanf(rest,
                  " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  &process.state, &parent, &start_time) != 3) {
    return std::nullopt;
  }
  process.parent = parent;
  process.start_time = start_time;
  return process;
}

// Calls body(number) for every entry of the folder whose name is a number.
template <class Body>
void for_each_number(const std::string& folder, Body body) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (const int number = std::atoi(entry->d_name); number > 0) body(number);
  }
}

}  // namespace

std::optional<Process> find_process(pid_t pid) {
  return parse_stat(read_small_file("/proc/" + std::to_string(pid) + "/stat"));
}

std::vector<Process> all_processes() {
  std::vector<Process> all;
  for_each_number("/proc", [&](int pid) {
    if (const auto process = find_process(pid)) all.push_back(*process);
  });
  return all;
}

std::vector<Process> tree_of(pid_t root, const std::vector<Process>& processes) {
  std::vector<Process> tree;
  for (const auto& process : processes) {
    if (process.pid == root) tree.push_back(process);
  }
  for (std::size_t next = 0; next < tree.size(); ++next) {
    for (const auto& process : processes) {
      if (process.parent == tree[next].pid) tree.push_back(process);
    }
  }
  return tree;
}

bool fully_stopped(pid_t pid) {
  bool stopped = true;
  const auto tasks = "/proc/" + std::to_string(pid) + "/task";
  for_each_number(tasks, [&](int thread) {
    const auto task = parse_stat(read_small_file(tasks + "/" + std::to_string(thread) + "/stat"));
    if (task && std::strchr("TtZX", task->state) == nullptr) stopped = false;
  });
  return stopped;
}

std::vector<pid_t> processes_working_in(const std::filesystem::path& folder) {
  std::vector<pid_t> found;
  const auto inside = folder.string() + "/";
  for_each_number("/proc", [&](int pid) {
    char target[4096];
    const auto link = "/proc/" + std::to_string(pid) + "/cwd";
    const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
    if (length <= 0) return;
    const auto cwd = std::string(target, static_cast<std::size_t>(length)) + "/";
    if (cwd.starts_with(inside)) found.push_back(pid);
  });
  return found;
}

}  // namespace lab::servers
