#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

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

/// Nobody wants to read what CMake says when all is well.
bool configure(const Project& project, const std::string& preset) {
  const fs::path build = project.root / "build" / preset;
  if (has_tests(build)) return true;
  std::error_code problem;
  fs::create_directories(build, problem);
  const fs::path log = build / "configure.log";
  const auto status =
      call({"cmake", "--preset", preset, "-DLAB_TESTS=ON"}, {.folder = project.root, .log = log});
  if (status && *status == 0) return true;
  if (!status) return complain(kEnvironmentFailed, status.error().message) == 0;
  std::ifstream said(log);
  fmt::print(stderr, "{}", std::string(std::istreambuf_iterator<char>(said), {}));
  return complain(kEnvironmentFailed,
                  fmt::format("cannot configure the preset {}, see above", preset)) == 0;
}

bool build(const Project& project, const std::string& preset) {
  fmt::print(stderr, "lab: building build/{} (the first time takes some minutes)\n", preset);
  const std::string jobs = std::to_string(sysconf(_SC_NPROCESSORS_ONLN));
  Command building{"cmake", "--build", "--preset", preset, "--parallel", jobs};
  // Off a terminal ninja would print a line per file.
  if (isatty(STDERR_FILENO) == 0) building.insert(building.end(), {"--", "--quiet"});
  const auto status = call(building, {.folder = project.root, .output_to_stderr = true});
  if (status && *status == 0) return true;
  return complain(kEnvironmentFailed,
                  status ? "the build failed, see above" : status.error().message) == 0;
}

}  // namespace

int test(const TestOptions& options) {
  const Project project = this_project();
  if (!configure(project, options.preset) || !build(project, options.preset))
    return kEnvironmentFailed;
  // Tests that need the cores for themselves are RUN_SERIAL; two of the others share two cores well.
  Command testing{"ctest", "--preset", options.preset, "--parallel", "2"};
  if (!options.label.empty()) testing.insert(testing.end(), {"-L", options.label});
  if (!options.name.empty()) testing.insert(testing.end(), {"-R", options.name});
  const auto status = call(testing, {.folder = project.root});
  if (!status) return complain(kEnvironmentFailed, status.error().message);
  fmt::print(stderr, "lab: as JUnit: build/{}/junit.xml\n", options.preset);
  return *status == 0 ? 0 : kPromiseBroken;
}

}  // namespace lab::cli
