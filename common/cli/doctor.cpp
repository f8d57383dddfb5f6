#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/project.h"
#include "core/subprocess.h"
#include "core/text.h"
#include "harness/machine.h"
#include "servers/server.h"

namespace lab::cli {
namespace {

using servers::Installed;

/// A program of use, beside the servers.
struct Tool {
  std::string name;
  std::string version_flag;
  std::string package;
  std::string what_for;
};

const std::vector<Tool>& tools() {
  static const std::vector<Tool> all{
      {"g++", "-dumpfullversion", "g++", "building"},
      {"cmake", "--version", "cmake", "building"},
      {"ninja", "--version", "ninja-build", "building"},
      {"redis-benchmark", "--version", "redis-tools", "what Redis gives at best"},
      {"google-pprof", "--version", "google-perftools", "lab profile"},
  };
  return all;
}

/// The first thing in the text that looks like a version ("7.0.15"), or "?".
std::string version_in(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789", kVersion = "0123456789.";
  for (std::size_t at = 0; (at = text.find_first_of(kDigits, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_not_of(kVersion, at), text.size());
    const std::string_view found = text.substr(at, end - at);
    if (found.find('.') < found.size() - 1) return std::string(found);
    at = end;
  }
  return "?";
}

std::string version_of(const Tool& tool) {
  const auto output = run_program({tool.name, tool.version_flag}, 10s);
  return output ? version_in(output->text) : "";
}

void print_found(const std::string& name, const std::string& version, const std::string& note) {
  fmt::print("  ✓ {:<16} {:<9} {}\n", name, version, note);
}

void print_missing(const std::string& name, const std::string& how_to_get) {
  fmt::print("  ✗ {:<16} {:<9} to get it: {}\n", name, "missing", how_to_get);
}

bool report_tools() {
  fmt::print("Tools\n");
  bool complete = true;
  for (const auto& tool : tools()) {
    const std::string version = version_of(tool);
    if (version.empty()) {
      complete = false;
      print_missing(tool.name, "apt-get install " + tool.package);
    } else {
      print_found(tool.name, version, tool.what_for);
    }
  }
  return complete;
}

bool report_servers(const std::vector<Installed>& all) {
  fmt::print("Servers\n");
  bool complete = true;
  for (const auto& server : all) {
    if (server.program.empty()) {
      complete = false;
      print_missing(server.kind, server.how_to_get);
    } else {
      print_found(server.kind, server.version, server.program);
    }
  }
  return complete;
}

void report_machine() {
  namespace fs = std::filesystem;
  const auto machine = harness::this_machine();
  const fs::path scratch = fs::temp_directory_path();
  std::error_code problem;
  const auto space = fs::space(scratch, problem);
  fmt::print("Machine\n  {}, {} CPUs, {} MB of memory, {}\n", machine.system, machine.cpus,
             with_thousands(machine.memory_mb), machine.cpu);
  if (problem) {
    fmt::print("  {}: {}\n", scratch.string(), problem.message());
  } else {
    fmt::print("  {} MB free in {}\n",
               with_thousands(static_cast<long long>(space.available >> 20)), scratch.string());
  }
  if (machine.sanitizers.empty()) {
    fmt::print("  {} build: {}\n", machine.build_type,
               harness::may_measure() ? "may measure" : "may not record reference results");
  } else {
    fmt::print("  {} build with sanitizers ({}): finds bugs, may not measure\n", machine.build_type,
               machine.sanitizers);
  }
}

/// "sql" is met by either server.
bool is_met(const std::string& need, const std::vector<Installed>& all) {
  return std::any_of(all.begin(), all.end(), [&](const Installed& server) {
    return !server.program.empty() &&
           (server.kind == need ||
            (need == "sql" && (server.kind == "mariadb" || server.kind == "postgres")));
  });
}

bool report_scenario(const Project& project, const std::string& program,
                     const std::vector<Installed>& all) {
  const auto description = describe_scenario(project, program);
  if (!description) return complain(kEnvironmentFailed, description.error().message) == 0;
  std::string needs, missing;
  for (const std::string need : description->value("needs", nlohmann::json::array())) {
    needs += (needs.empty() ? "" : ", ") + need;
    if (!is_met(need, all)) missing += (missing.empty() ? "" : ", ") + need;
  }
  const std::string name = typed_name(program);
  if (missing.empty()) {
    fmt::print("  ✓ {:<16} needs {}\n", name, needs.empty() ? "nothing" : needs);
  } else {
    fmt::print("  ✗ {:<16} lacks {}; without: ./lab run {} --backend embedded\n", name, missing,
               name);
  }
  return missing.empty();
}

bool report_scenarios(const Project& project, const std::vector<Installed>& all) {
  fmt::print("Scenarios\n");
  bool complete = true;
  for (const auto& program : built_scenarios(project))
    complete &= report_scenario(project, program, all);
  return complete;
}

}  // namespace

int doctor() {
  const Project project = this_project();
  const std::vector<Installed> all{servers::find_redis(), servers::find_mariadb(),
                                   servers::find_postgres(), servers::find_rabbitmq()};
  bool complete = report_tools();
  complete &= report_servers(all);
  report_machine();
  complete &= report_scenarios(project, all);
  return complete ? 0 : complain(kEnvironmentFailed, "something is missing, see ✗ above");
}

}  // namespace lab::cli
