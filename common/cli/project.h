#pragma once
// Where this copy of the lab lies, and which scenarios it has.

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace lab::cli {

struct Project {
  std::filesystem::path root;  // the sources
  std::filesystem::path bin;   // the programs of the build that this program belongs to
};

Project this_project();

/// "cache_aside" as it is typed: "cache-aside"; and back.
std::string typed_name(std::string scenario);
std::string program_name(std::string scenario);

/// The scenarios that have been built, as program names, in order.
std::vector<std::string> built_scenarios(const Project& project);

/// Resolves what was typed, with - or _. The error names the nearest scenario and what to type
/// next.
Result<std::string> find_scenario(const Project& project, const std::string& typed);

/// What a scenario says of itself (`--describe`): name, question, variants, faults, needs, checks.
Result<nlohmann::json> describe_scenario(const Project& project, const std::string& program);

}  // namespace lab::cli
