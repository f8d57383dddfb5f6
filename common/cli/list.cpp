#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/project.h"

namespace lab::cli {
namespace {

using nlohmann::json;

void print_table(const json& scenarios) {
  std::size_t width = 0;
  for (const auto& scenario : scenarios) width = std::max(width, scenario.value("name", "").size());
  for (const auto& scenario : scenarios) {
    fmt::print("{:<{}}  {}\n", typed_name(scenario.value("name", "")), width,
               scenario.value("question", ""));
  }
  if (!scenarios.empty()) {
    fmt::print(stderr, "\nrun one: ./lab run {}\n", typed_name(scenarios[0].value("name", "")));
  }
}

}  // namespace

int complain(int status, std::string_view message) {
  fmt::print(stderr, "lab: {}\n", message);
  return status;
}

int list(bool as_json) {
  const Project project = this_project();
  json scenarios = json::array();
  int status = 0;
  for (const auto& program : built_scenarios(project)) {
    const auto description = describe_scenario(project, program);
    if (description) {
      scenarios.push_back(*description);
    } else {
      status = complain(kEnvironmentFailed, description.error().message);
    }
  }
  if (as_json) {
    fmt::print("{}\n", json{{"scenarios", scenarios}}.dump(2));
  } else {
    print_table(scenarios);
    if (scenarios.empty()) complain(status, "no scenario has been built");
  }
  return status;
}

int run(const std::string& scenario, const std::vector<std::string>& flags) {
  const Project project = this_project();
  const auto program = find_scenario(project, scenario);
  if (!program) return complain(kUsage, program.error().message);
  Command command{(project.bin / *program).string()};
  command.insert(command.end(), flags.begin(), flags.end());
  return complain(kEnvironmentFailed, become(command).message);
}

int serve_variant(const std::string& scenario, const std::string& variant, int port,
                  const std::vector<std::string>& flags) {
  std::vector<std::string> words{"--serve", "--variant", variant, "--port", std::to_string(port)};
  words.insert(words.end(), flags.begin(), flags.end());
  return run(scenario, words);
}

}  // namespace lab::cli
