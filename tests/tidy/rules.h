#pragma once
// The house rules, as functions over a list of files: the tidy test feeds them the repository, and bad fixtures to see
// each of them fail.

#include <set>
#include <string>
#include <vector>

namespace lab::tidy {

struct File {
  std::string path;  // from the top of the repository
  std::string text;
};
using Files = std::vector<File>;

/// What is wrong, each "path:line: …" or "path: …"; empty when all is well.
using Complaints = std::vector<std::string>;

/// The top level is fixed: it is the map that a newcomer reads first.
Complaints check_top_level(const Files& files);

/// A room of common/ uses only rooms above it; servers, faults and harness use core alone. Nothing in common/ uses a
/// scenario, and no scenario another.
Complaints check_doors(const Files& files);

/// A variant shows its idea and nothing else: no harness, servers or faults, no macro, no more than a screen.
Complaints check_variants(const Files& files);

/// Every scenario has all its parts.
Complaints check_scenarios(const Files& files);

/// Every .cpp is in the build (`compiled`: paths from the top), every .h is included by someone.
Complaints check_no_dead_file(const Files& files, const std::set<std::string>& compiled);

/// No promise to finish later, and no path that exists on one machine only.
Complaints check_words(const Files& files);

}  // namespace lab::tidy
