#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "cli/commands.h"
#include "cli/flame_graph.h"
#include "cli/process.h"
#include "cli/project.h"
#include "core/clock.h"
#include "core/subprocess.h"
#include "harness/machine.h"

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

constexpr Nanos kPatience = 2min;  // for google-pprof: it reads all symbols of the program
constexpr std::size_t kTopFunctions = 10;
constexpr const char* kRounds = "40";  // enough for some thousand samples

/// One profiling of one scenario: its program, its flags, and the folder where all of it goes.
struct Profiling {
  std::string program;
  std::vector<std::string> flags;
  fs::path folder;
  fs::path reference = {};  // where the CPU profile is recorded, if it is to be
  fs::path raw() const { return folder / "raw"; }
};

/// Statuses 1 and 4 judge the variant; the run was whole, so its profile is good.
bool ran(int status) {
  return status == 0 || status == kPromiseBroken || status == kInconclusive;
}

/// The exit status; an error has been told.
int run_scenario(const Profiling& profiling, const std::vector<std::string>& more,
                 const CallOptions& options) {
  Command command{profiling.program};
  command.insert(command.end(), profiling.flags.begin(), profiling.flags.end());
  command.insert(command.end(), more.begin(), more.end());
  // What was measured under a profiler is no result: it stays with the profile.
  command.insert(command.end(), {"--quiet", "--results", (profiling.raw() / "runs").string()});
  const auto status = call(command, options);
  return status ? *status : complain(kEnvironmentFailed, status.error().message);
}

Result<std::string> pprof(std::vector<std::string> arguments) {
  Command command{"google-pprof"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto output = run_program(command, kPatience);
  if (!output) return output.error();
  if (output->exit_status == 0) return output->text;
  return Error{ErrorCode::internal, Happened::no,
               fmt::format("google-pprof exited with {}; type: {}", output->exit_status,
                           fmt::join(command, " "))};
}

int write(const fs::path& file, const std::string& text) {
  std::ofstream stream(file);
  stream << text;
  return stream.flush() ? 0 : complain(kEnvironmentFailed, "cannot write " + file.string());
}

constexpr const char* kCpuTitle =
    "CPU: samples of its own, share, running share, with callees, share, function";

/// The first lines of a table of google-pprof: "Total: …", then one line per function.
std::string top(const std::string& title, const std::string& table) {
  std::string text = title + "\n";
  std::istringstream lines(table);
  std::string line;
  for (std::size_t shown = 0; shown <= kTopFunctions && std::getline(lines, line);) {
    if (line.find('%') == std::string::npos && !line.starts_with("Total:")) continue;
    text += "  " + line + "\n";
    ++shown;
  }
  return text;
}

/// results/reference/NAME-2cpu-VARIANT.profile.txt, for the scenario's README.
int record(const Profiling& profiling, const std::string& title, const std::string& table) {
  const auto machine = harness::this_machine();
  return write(profiling.reference, top(fmt::format("{}\n{}", title, kCpuTitle), table) +
                                        fmt::format("\ncommit {}; {} × {}, {}\n", harness::commit(),
                                                    machine.cpus, machine.cpu, machine.system));
}

int profile_cpu(const Profiling& profiling, const std::string& title) {
  const fs::path samples = profiling.raw() / "cpu.prof";
  fmt::print(stderr, "lab: first run, for CPU time\n");
  // 250 samples a second is what most kernels can give.
  const int status =
      run_scenario(profiling, {"--cpu-profile", samples.string()},
                   {.added = {{"CPUPROFILE_FREQUENCY", "250"}}, .output_to_stderr = true});
  if (!ran(status)) return status;
  if (!fs::exists(samples)) {
    return complain(kEnvironmentFailed,
                    "the run had no timed round, so there is no profile; leave --rounds 0 out");
  }
  const auto table = pprof({"--text", profiling.program, samples});
  const auto stacks = pprof({"--collapsed", profiling.program, samples});
  if (!table || !stacks) {
    return complain(kEnvironmentFailed, table ? stacks.error().message : table.error().message);
  }
  const int written = std::max(write(profiling.folder / "cpu.txt", *table),
                               write(profiling.folder / "flame.svg", flame_graph(*stacks, title)));
  if (written != 0) return written;
  fmt::print("{}", top(kCpuTitle, *table));
  return profiling.reference.empty() ? 0 : record(profiling, title, *table);
}

/// Where the loader finds tcmalloc, or empty.
std::string heap_profiler() {
  const auto libraries = run_program({"/sbin/ldconfig", "-p"}, 10s);
  if (!libraries) return {};
  std::istringstream lines(libraries->text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t arrow = line.find(" => ");
    if (line.starts_with("\tlibtcmalloc.so.") && arrow != std::string::npos)
      return line.substr(arrow + 4);
  }
  return {};
}

/// In order. Those of other processes carry their process id in the name; they are removed.
std::vector<std::string> heap_dumps(const fs::path& folder) {
  std::vector<std::string> dumps;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("heap.") && name.ends_with(".heap")) dumps.push_back(entry.path());
    if (name.starts_with("heap_")) fs::remove(entry.path());
  }
  std::sort(dumps.begin(), dumps.end());
  return dumps;
}

int profile_heap(const Profiling& profiling) {
  const std::string library = heap_profiler();
  if (library.empty()) {
    return complain(kEnvironmentFailed,
                    "libtcmalloc is not installed; type: apt-get install libgoogle-perftools-dev");
  }
  fmt::print(stderr, "lab: second run, for heap growth\n");
  const int status = run_scenario(profiling, {},
                                  {.added = {{"LD_PRELOAD", library},
                                             {"HEAPPROFILE", (profiling.raw() / "heap").string()},
                                             {"HEAP_PROFILE_TIME_INTERVAL", "1"}},
                                   .log = profiling.raw() / "heap.log"});
  if (!ran(status)) {
    return complain(status, "the run failed, see " + (profiling.raw() / "heap.log").string());
  }
  auto dumps = heap_dumps(profiling.raw());
  if (dumps.empty())
    return complain(kEnvironmentFailed,
                    "the heap profiler wrote nothing to " + profiling.raw().string());
  std::vector<std::string> arguments{"--text", "--inuse_space", "--show_bytes"};
  // The last dump is made at exit, when all has been given back: growth ends one before.
  if (dumps.size() > 2) {
    dumps.pop_back();
    arguments.push_back("--base=" + dumps.front());
  }
  arguments.insert(arguments.end(), {profiling.program, dumps.back()});
  const auto table = pprof(arguments);
  if (!table) return complain(kEnvironmentFailed, table.error().message);
  if (const int written = write(profiling.folder / "heap.txt", *table); written != 0)
    return written;
  fmt::print("{}", top("\nHeap growth from the first second to the last: bytes of its own, share, "
                       "running share, with callees, share, function",
                       *table));
  return 0;
}

bool chooses_rounds(const std::vector<std::string>& flags) {
  return std::any_of(flags.begin(), flags.end(),
                     [](const std::string& flag) { return flag.starts_with("--rounds"); });
}

}  // namespace

int profile(const std::string& scenario, const std::string& variant,
            const std::vector<std::string>& flags) {
  const Project project = this_project();
  const auto program = find_scenario(project, scenario);
  if (!program) return complain(kUsage, program.error().message);
  if (!harness::this_machine().sanitizers.empty()) {
    return complain(kUsage, "a sanitizer build has nothing to profile; type: ./lab profile …");
  }
  const std::string name = typed_name(*program);
  Profiling profiling{(project.bin / *program).string(), flags,
                      project.root / "results/local" / name / ("profile-" + utc_compact())};
  if (std::erase(profiling.flags, "--record") > 0) {
    if (!harness::may_measure())
      return complain(kUsage, "only a release build may write results/reference");
    profiling.reference =
        project.root / "results/reference" /
        fmt::format("{}-{}cpu-{}.profile.txt", name, harness::this_machine().cpus, variant);
  }
  profiling.flags.insert(profiling.flags.end(), {"--variant", variant});
  if (!chooses_rounds(flags)) profiling.flags.insert(profiling.flags.end(), {"--rounds", kRounds});
  std::error_code problem;
  fs::create_directories(profiling.raw(), problem);
  if (problem)
    return complain(kEnvironmentFailed,
                    fmt::format("cannot make {}: {}", profiling.raw().string(), problem.message()));
  if (const int status = profile_cpu(profiling, fmt::format("{}, variant {}: CPU", name, variant));
      status != 0) {
    fs::remove_all(profiling.folder, problem);
    return status;
  }
  if (const int status = profile_heap(profiling); status != 0) return status;
  fmt::print("\nSaved  {}/ (cpu.txt, flame.svg, heap.txt)\n",
             fs::relative(profiling.folder).string());
  return 0;
}

}  // namespace lab::cli
