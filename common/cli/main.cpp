// lab: the one program a user types. Measuring is done by the scenarios' own programs; this one
// finds, starts and explains.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "core/text.h"

namespace {

using namespace lab::cli;

/// One subcommand: its help ends in an example, and `action` runs once the line has been
/// understood.
CLI::App& add(CLI::App& app, const std::string& name, const std::string& what,
              const std::string& example, std::function<void()> action) {
  CLI::App& command = *app.add_subcommand(name, what);
  command.footer("Example: ./lab " + example);
  command.callback(std::move(action));
  return command;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

int reject(const std::string& typed, const std::vector<std::string>& names) {
  const std::string near = lab::nearest(typed, names);
  if (near.empty())
    return complain(kUsage, fmt::format("there is no command {}; type: ./lab --help", typed));
  return complain(kUsage,
                  fmt::format("there is no command {}; did you mean: ./lab {}", typed, near));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The lab where system-design claims are proven.", "lab"};
  app.require_subcommand(1);
  app.footer("Start with: ./lab run cache-aside");
  int status = 0;

  bool as_json = false;
  add(app, "list", "The scenarios and their questions", "list --json", [&] {
    status = list(as_json);
  }).add_flag("--json", as_json, "All that each scenario says of itself, as JSON");

  std::string scenario;
  std::vector<std::string> flags;
  auto& running = add(app, "run", "Run a scenario; flags after its name are the scenario's own",
                      "run cache-aside --quick", [&] { status = run(scenario, flags); });
  running.add_option("scenario", scenario, "Which one, see: ./lab list")->required();
  running.add_option("flags", flags, "Passed on; what there is says: ./lab run NAME --help");

  std::string variant;
  auto& profiling =
      add(app, "profile", "CPU profile, flame graph and heap growth of one variant",
          "profile cache-aside --variant lease --quick",
          [&] { status = profile(scenario, variant, app.get_subcommand("profile")->remaining()); });
  profiling.add_option("scenario", scenario, "Which one, see: ./lab list")->required();
  profiling.add_option("--variant", variant, "Which of its variants")->required();
  profiling.allow_extras();

  add(app, "doctor", "What is installed, what is missing and how to get it", "doctor",
      [&] { status = doctor(); });

  TestOptions tests;
  auto& testing = add(app, "test", "Build and run the test suite", "test --preset dev --label core",
                      [&] { status = test(tests); });
  testing.add_option("--preset", tests.preset, "release, dev (ASan and UBSan), tsan or coverage")
      ->capture_default_str();
  testing.add_option("--label", tests.label, "Only tests whose label matches this expression");
  testing.add_option("--name", tests.name, "Only tests whose name matches this expression");

  bool check = false;
  std::string root;
  auto& documenting = add(app, "docs", "Renew the generated parts of the documents", "docs --check",
                          [&] { status = docs(root, check); });
  documenting.add_flag("--check", check, "Change nothing; exit 1 when a part is out of date");
  documenting.add_option("--root", root, "The copy of the lab to work on; default: this one");

  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && !words[0].starts_with('-')) {
    const auto names = command_names(app);
    if (std::find(names.begin(), names.end(), words[0]) == names.end())
      return reject(words[0], names);
  }
  // A scenario's flags are not ours to understand, so they go past the parser.
  if (words.size() > 1 && words[0] == "run" && !words[1].starts_with('-')) {
    return run(words[1], {words.begin() + 2, words.end()});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kUsage;
  }
  return status;
}
