#include "harness/machine.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/clock.h"

// From common/harness/CMakeLists.txt.
#ifndef LAB_BUILD_TYPE
#define LAB_BUILD_TYPE ""
#endif
#ifndef LAB_SANITIZERS
#define LAB_SANITIZERS ""
#endif
#ifndef LAB_SOURCE_DIR
#define LAB_SOURCE_DIR ""
#endif
#ifndef LAB_BUILT_FROM
#define LAB_BUILT_FROM ""
#endif

namespace lab::harness {
namespace {

namespace fs = std::filesystem;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n\"");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n\"") - first + 1));
}

/// The value of the first line "key<separator>value"; empty when there is none.
std::string value_in(const fs::path& file, std::string_view key, char separator) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const auto split = line.find(separator);
    if (split != std::string::npos && trimmed(line.substr(0, split)) == key) {
      return trimmed(line.substr(split + 1));
    }
  }
  return {};
}

std::string whole(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return trimmed(text.str());
}

std::string cpu_name(const utsname& system) {
  const std::string model = value_in("/proc/cpuinfo", "model name", ':');
  return model.empty() ? system.machine : model;
}

std::string system_name() {
  for (const char* file : {"/etc/os-release", "/usr/lib/os-release"}) {
    if (auto name = value_in(file, "PRETTY_NAME", '='); !name.empty()) return name;
  }
  return {};
}

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("clang++ {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return {};
#endif
}

/// What the build was told, and what the compiler admits to when flags came another way.
std::string sanitizers() {
  std::set<std::string> names;
  std::istringstream told(LAB_SANITIZERS);
  for (std::string name; std::getline(told, name, ',');) names.insert(name);
#if defined(__SANITIZE_ADDRESS__)
  names.insert("address");
#endif
#if defined(__SANITIZE_THREAD__)
  names.insert("thread");
#endif
  return fmt::format("{}", fmt::join(names, ","));
}

std::string build_type() {
  std::string type = LAB_BUILD_TYPE;
  std::transform(type.begin(), type.end(), type.begin(), ::tolower);
#if !defined(NDEBUG) || !defined(__OPTIMIZE__)
  if (type.empty() || type == "release") return "debug";
#endif
  return type.empty() ? "unknown" : type;
}

/// The hypervisor's signature, where the processor has one to tell (CPUID leaf 0x40000000).
std::string hypervisor_name() {
#if defined(__x86_64__) || defined(__i386__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 31))) return {};
  __cpuid(0x40000000, a, b, c, d);
  std::string signature;
  for (const unsigned part : {b, c, d}) {
    signature.append(reinterpret_cast<const char*>(&part), sizeof part);
  }
  signature = trimmed(signature.c_str());
  if (signature == "KVMKVMKVM") return "KVM";
  if (signature == "Microsoft Hv") return "Hyper-V";
  if (signature == "VMwareVMware") return "VMware";
  if (signature == "XenVMMXenVMM") return "Xen";
  if (signature == "TCGTCGTCGTCG") return "QEMU";
  return signature;
#else
  return whole("/sys/hypervisor/type");
#endif
}

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_SET(0, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

/// "CPU 1", "CPUs 0-3", "CPUs 0,2,5".
std::string in_words(const std::vector<int>& cpus) {
  if (cpus.size() == 1) return fmt::format("CPU {}", cpus.front());
  const bool in_a_row = cpus.back() - cpus.front() + 1 == static_cast<int>(cpus.size());
  if (in_a_row) return fmt::format("CPUs {}-{}", cpus.front(), cpus.back());
  return fmt::format("CPUs {}", fmt::join(cpus, ","));
}

/// The folder that holds HEAD: .git itself, or where the file .git of a linked worktree points.
fs::path git_folder(const fs::path& source) {
  const fs::path git = source / ".git";
  if (!fs::is_regular_file(git)) return git;
  return source / value_in(git, "gitdir", ':');
}

/// The commit that a reference names, from its own file or from packed-refs.
std::string resolve(const fs::path& folder, const std::string& reference) {
  const std::string common = whole(folder / "commondir");
  const fs::path shared = common.empty() ? folder : folder / common;
  for (const auto& place : {folder, shared}) {
    if (auto hash = whole(place / reference); !hash.empty()) return hash;
  }
  std::ifstream packed(shared / "packed-refs");
  for (std::string hash, name; packed >> hash >> name;) {
    if (name == reference) return hash;
    packed.ignore(1 << 16, '\n');
  }
  return {};
}

std::string checked_out_commit(const fs::path& source) {
  constexpr std::string_view kPrefix = "ref: ";
  const fs::path folder = git_folder(source);
  const std::string head = whole(folder / "HEAD");
  return head.starts_with(kPrefix) ? resolve(folder, head.substr(kPrefix.size())) : head;
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { (void)!::pipe2(ends, O_CLOEXEC); }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

/// Waits until the other end says something or closes. Whether it said something in time.
bool says_something(int descriptor, Nanos patience) {
  pollfd waiting{descriptor, POLLIN, 0};
  char first = 0;
  return ::poll(&waiting, 1, static_cast<int>(milliseconds(patience))) == 1 &&
         ::read(descriptor, &first, 1) == 1;
}

/// Does git know of changes? No, too, when git is not installed or takes longer than the patience.
bool has_changes(const fs::path& source, Nanos patience) {
  Pipe answer;
  if (answer.ends[0] < 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, answer.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const std::string folder = source.string();
  const char* arguments[] = {"git",    "--no-optional-locks", "-C",   folder.c_str(),
                             "status", "--porcelain",         nullptr};
  pid_t git = -1;
  const int failed =
      posix_spawnp(&git, "git", &actions, nullptr, const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return false;
  ::close(std::exchange(answer.ends[1], -1));
  const bool changes = says_something(answer.ends[0], patience);
  ::kill(git, SIGKILL);
  while (::waitpid(git, nullptr, 0) < 0 && errno == EINTR) {
  }
  return changes;
}

std::string find_commit() {
  constexpr std::size_t kDigits = 7;
  const fs::path source = LAB_SOURCE_DIR;
  const std::string hash = checked_out_commit(source);
  if (hash.size() > kDigits) {
    return hash.substr(0, kDigits) + (has_changes(source, 2s) ? "+" : "");
  }
  return *LAB_BUILT_FROM ? LAB_BUILT_FROM : "unknown";
}

}  // namespace

Machine this_machine() {
  utsname system{};
  ::uname(&system);
  Machine machine;
  machine.cpu = cpu_name(system);
  machine.cpus = static_cast<int>(usable_cpus().size());
  machine.memory_mb = std::atol(value_in("/proc/meminfo", "MemTotal", ':').c_str()) / 1024;
  machine.kernel = fmt::format("{} {}", system.sysname, system.release);
  machine.system = system_name();
  machine.compiler = compiler_name();
  machine.build_type = build_type();
  machine.sanitizers = sanitizers();
  machine.hypervisor = hypervisor_name();
  if (double load = 0; ::getloadavg(&load, 1) == 1) machine.load_average = load;
  return machine;
}

std::string commit() {
  static const std::string found = find_commit();
  return found;
}

bool may_measure() {
#ifdef LAB_COVERAGE
  return false;
#else
  return build_type() == "release" && sanitizers().empty();
#endif
}

Placement choose_placement(const std::vector<int>& usable) {
  Placement placement{usable, usable, {}};
  if (usable.size() < 2) {
    placement.text = "all on " + in_words(usable);
    return placement;
  }
  const std::size_t for_servers = usable.size() >= 4 ? usable.size() / 2 : 1;
  const std::size_t for_load = usable.size() - for_servers;
  placement.load.resize(for_load);
  placement.servers.erase(placement.servers.begin(),
                          placement.servers.begin() + static_cast<std::ptrdiff_t>(for_load));
  placement.text = fmt::format("load on {}, servers on {}", in_words(placement.load),
                               in_words(placement.servers));
  return placement;
}

Placement choose_placement() {
  return choose_placement(usable_cpus());
}

void apply_to_this_process(const Placement& placement) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : placement.load) CPU_SET(cpu, &set);
  std::error_code ignored;
  for (const auto& thread : fs::directory_iterator("/proc/self/task", ignored)) {
    const pid_t id = std::atoi(thread.path().filename().c_str());
    sched_setaffinity(id, sizeof set, &set);
  }
}

}  // namespace lab::harness
