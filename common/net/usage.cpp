#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "net/server_process.h"

namespace lab::net {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "VmRSS:    1234 kB" in the text of /proc/PID/status; 0 when it is not there.
std::uint64_t field(const std::string& status, std::string_view name) {
  const auto at = status.find(fmt::format("\n{}:", name));
  if (at == std::string::npos) return 0;
  const auto digits = status.find_first_of("0123456789", at + name.size() + 2);
  std::uint64_t value = 0;
  std::from_chars(status.data() + digits, status.data() + status.size(), value);
  return value;
}

std::size_t entries(const std::string& folder) {
  DIR* const opened = ::opendir(folder.c_str());
  if (!opened) return 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(opened)) count += entry->d_name[0] != '.';
  ::closedir(opened);
  return count;
}

/// utime, stime and those of children that were waited for: fields 14 to 17 of /proc/PID/stat, counted from the ')'
/// because the program's name may hold anything.
Nanos cpu_time(pid_t process) {
  const std::string stat = text_of(fmt::format("/proc/{}/stat", process));
  const auto name_ends = stat.rfind(')');
  if (name_ends == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_ends + 1));
  std::string word;
  for (int i = 3; i < 14; ++i) fields >> word;
  std::int64_t ticks = 0;
  for (int i = 14; i < 18; ++i) {
    std::int64_t value = 0;
    fields >> value;
    ticks += value;
  }
  return Nanos(ticks * (1'000'000'000 / ::sysconf(_SC_CLK_TCK)));
}

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  const std::string tasks = fmt::format("/proc/{}/task", process);
  DIR* const opened = ::opendir(tasks.c_str());
  if (!opened) return children;
  while (const dirent* entry = ::readdir(opened)) {
    if (entry->d_name[0] == '.') continue;
    std::istringstream words(text_of(fmt::format("{}/{}/children", tasks, entry->d_name)));
    for (pid_t child = 0; words >> child;) children.push_back(child);
  }
  ::closedir(opened);
  return children;
}

void add(pid_t process, Usage& usage) {
  const std::string status = text_of(fmt::format("/proc/{}/status", process));
  usage.resident_bytes += field(status, "VmRSS") * 1024;
  usage.peak_resident_bytes += field(status, "VmHWM") * 1024;
  usage.threads += field(status, "Threads");
  const std::size_t open = entries(fmt::format("/proc/{}/fd", process));
  usage.open_descriptors += open;
  usage.most_open_descriptors = std::max(usage.most_open_descriptors, open);
  usage.processes.push_back(process);
  usage.cpu += cpu_time(process);
  for (const pid_t child : children_of(process)) add(child, usage);
}

void reset_peak_of(pid_t process) {
  std::ofstream(fmt::format("/proc/{}/clear_refs", process)) << "5";  // see proc(5)
  for (const pid_t child : children_of(process)) reset_peak_of(child);
}

}  // namespace

Result<Usage> usage_of(pid_t process) {
  Usage usage;
  add(process, usage);
  if (usage.threads == 0 || usage.resident_bytes == 0) {
    const int own = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (own < 0)
      return Error{ErrorCode::unavailable, Happened::no,
                   fmt::format("cannot look at process {}: {}", process,
                               std::generic_category().message(errno))};
    ::close(own);
    return Error{ErrorCode::not_found, Happened::no, fmt::format("process {} has ended", process)};
  }
  return usage;
}

void ServerProcess::reset_peak() {
  reset_peak_of(pid());
}

}  // namespace lab::net
