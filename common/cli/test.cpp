#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/project.h"

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

/// `./lab run` configures without the tests; once they are on, they stay on.
bool has_tests(const fs::path& build) {
  std::ifstream cache(build / "CMakeCache.txt");
  for (std::string line; std::getline(cache, line);) {
    if (line == "LAB_TESTS:BOOL=ON") return fs::exists(build / "build.ninja");
  }
  return false;
}

/// True when the step went well; otherwise it has said why.
bool step(const Project& project, const Command& command, const std::string& failure) {
  const auto status = call(command, {.folder = project.root, .output_to_stderr = true});
  if (status && *status == 0) return true;
  complain(kEnvironment, status ? failure : status.error().message);
  return false;
}

bool prepare(const Project& project, const std::string& preset) {
  const fs::path build = project.root / "build" / preset;
  if (!has_tests(build)) {
    if (!step(project, {"cmake", "--preset", preset, "-DLAB_TESTS=ON", "--log-level=WARNING"},
              fmt::format("cannot configure preset {}; what there is says: cmake --list-presets",
                          preset))) {
      return false;
    }
  }
  fmt::print(stderr, "lab: building build/{} (the first time takes some minutes)\n", preset);
  Command building{"cmake", "--build",    "--preset",
                   preset,  "--parallel", std::to_string(sysconf(_SC_NPROCESSORS_ONLN))};
  // Off a terminal ninja would print a line per file.
  if (isatty(STDERR_FILENO) == 0) building.insert(building.end(), {"--", "--quiet"});
  return step(project, building, "the build failed, see above");
}

}  // namespace

int test(const TestOptions& options) {
  const Project project = this_project();
  if (!prepare(project, options.preset)) return kEnvironment;
  // Tests that time something or start servers are RUN_SERIAL; the others share two cores well.
  Command testing{"ctest", "--preset", options.preset, "--parallel", "2"};
  if (!options.label.empty()) testing.insert(testing.end(), {"-L", options.label});
  if (!options.name.empty()) testing.insert(testing.end(), {"-R", options.name});
  const auto status = call(testing, {.folder = project.root});
  if (!status) return complain(kEnvironment, status.error().message);
  fmt::print(stderr, "lab: as JUnit: build/{}/junit.xml\n", options.preset);
  return *status == 0 ? 0 : kPromiseBroken;
}

}  // namespace lab::cli
