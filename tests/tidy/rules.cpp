#include "rules.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

namespace lab::tidy {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kScreen = 80;  // lines

struct Line {
  int number = 0;
  std::string text;
};

std::vector<Line> lines_of(const File& file) {
  std::vector<Line> lines;
  std::istringstream stream(file.text);
  for (std::string text; std::getline(stream, text);) {
    lines.push_back({static_cast<int>(lines.size()) + 1, text});
  }
  return lines;
}

std::string at(const File& file, const Line& line) {
  return fmt::format("{}:{}", file.path, line.number);
}

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> parts;
  for (const auto& part : fs::path(path)) parts.push_back(part.string());
  return parts;
}

bool is_code(const File& file) {
  return file.path.ends_with(".cpp") || file.path.ends_with(".h");
}

/// What follows "#NAME" in the line, without the space between; nothing when the line is not that directive.
std::optional<std::string> directive(const std::string& line, std::string_view name) {
  const auto skip_space = [&line](std::size_t from) {
    return std::min(line.find_first_not_of(" \t", from), line.size());
  };
  std::size_t at = skip_space(0);
  if (at == line.size() || line[at] != '#') return std::nullopt;
  at = skip_space(at + 1);
  if (line.compare(at, name.size(), name) != 0) return std::nullopt;
  return line.substr(skip_space(at + name.size()));
}

struct Include {
  Line line;
  std::string path;
};

/// Those in quotes: ours.
std::vector<Include> includes_of(const File& file) {
  std::vector<Include> includes;
  for (const auto& line : lines_of(file)) {
    const auto what = directive(line.text, "include");
    if (what && what->starts_with('"')) {
      includes.push_back({line, what->substr(1, what->find('"', 1) - 1)});
    }
  }
  return includes;
}

/// Which rooms each room may use, beside itself.
const std::map<std::string, std::set<std::string>>& doors() {
  static const std::map<std::string, std::set<std::string>> open{
      {"core", {}},
      {"domain", {"core"}},
      {"infra", {"core", "domain"}},
      {"servers", {"core"}},
      {"faults", {"core"}},
      {"harness", {"core"}},
      {"judge", {"core"}},
      {"actors", {"core", "harness"}},
      {"net", {"core", "domain", "infra", "harness", "actors"}},
      {"queue", {"core", "domain", "infra"}},
      {"backends",
       {"core", "domain", "infra", "servers", "faults", "harness", "judge", "actors", "net",
        "queue"}},
      {"cli",
       {"core", "domain", "infra", "servers", "faults", "harness", "judge", "actors", "net",
        "queue", "backends"}},
  };
  return open;
}

/// The scenario that the file belongs to, or empty.
std::string scenario_of(const File& file) {
  const auto parts = components(file.path);
  return parts.size() > 2 && parts[0] == "scenarios" ? parts[1] : "";
}

std::set<std::string> scenarios_in(const Files& files) {
  std::set<std::string> names;
  for (const auto& file : files) names.insert(scenario_of(file));
  names.erase("");
  return names;
}

bool is_variant(const File& file) {
  const auto parts = components(file.path);
  return parts.size() > 3 && parts[0] == "scenarios" && parts[2] == "variants";
}

Complaints check_room(const File& file, const std::string& room) {
  Complaints complaints;
  for (const auto& include : includes_of(file)) {
    const std::string used = components(include.path).front();
    if (used == room || doors().at(room).contains(used)) continue;
    complaints.push_back(
        fmt::format("{}: {} may not use \"{}\"", at(file, include.line), room, include.path));
  }
  return complaints;
}

Complaints check_scenario_doors(const File& file, const std::set<std::string>& scenarios) {
  Complaints complaints;
  for (const auto& include : includes_of(file)) {
    const auto parts = components(include.path);
    const bool leaves = std::find(parts.begin(), parts.end(), "..") != parts.end();
    const std::string first =
        parts.front() == "scenarios" && parts.size() > 1 ? parts[1] : parts.front();
    const bool enters = scenarios.contains(first) && first != scenario_of(file);
    if (!leaves && !enters) continue;
    complaints.push_back(
        fmt::format("{}: a scenario may not use \"{}\"", at(file, include.line), include.path));
  }
  return complaints;
}

void append(Complaints& all, Complaints more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Where the include may be meant to lead; the compiler knows, this only has to find every candidate.
std::vector<std::string> targets(const File& file, const std::string& include,
                                 const std::set<std::string>& scenarios) {
  std::vector<std::string> paths{"common/" + include, "tests/" + include,
                                 (fs::path(file.path).parent_path() / include).lexically_normal()};
  for (const auto& scenario : scenarios) paths.push_back("scenarios/" + scenario + "/" + include);
  return paths;
}

std::set<std::string> included_by_someone(const Files& files) {
  const auto scenarios = scenarios_in(files);
  std::set<std::string> included;
  for (const auto& file : files) {
    for (const auto& include : includes_of(file)) {
      for (auto& path : targets(file, include.path, scenarios)) included.insert(std::move(path));
    }
  }
  return included;
}

/// As a shell would: * stays inside a folder.
bool matches(const std::string& pattern, const std::string& path) {
  return fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

struct Forbidden {
  std::string text;
  std::string_view not_before, not_after;  // characters that make it something else
  std::string why;
};

const std::vector<Forbidden>& forbidden_words() {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  static constexpr std::string_view kPath =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-}/";
  static const std::string later = "finish it or leave it out", machine = "a path of one machine";
  // In pieces, so that this file keeps its own rule.
  static const std::vector<Forbidden> all{
      {"TO"
       "DO",
       kLetters, kLetters, later},
      {"FIX"
       "ME",
       kLetters, kLetters, later},
      {"XX"
       "X",
       kLetters, kLetters, later},
      {"/ho"
       "me/",
       kPath, "", machine},
      {"/ro"
       "ot/",
       kPath, "", machine},
      {"/wo"
       "rk/",
       kPath, "", machine},
      {"/Us"
       "ers/",
       kPath, "", machine},
  };
  return all;
}

bool stands_in(const std::string& line, const Forbidden& forbidden) {
  for (std::size_t at = 0; (at = line.find(forbidden.text, at)) != std::string::npos; ++at) {
    const std::size_t end = at + forbidden.text.size();
    const bool before = at > 0 && forbidden.not_before.find(line[at - 1]) != std::string_view::npos;
    const bool after =
        end < line.size() && forbidden.not_after.find(line[end]) != std::string_view::npos;
    if (!before && !after) return true;
  }
  return false;
}

}  // namespace

Complaints check_top_level(const Files& files) {
  static const std::set<std::string> allowed{
      "CMakeLists.txt",
      "CMakePresets.json",
      "CONTRIBUTING.md",
      "LICENSE",
      "README.md",
      "lab",
      "common",
      "docs",
      "labs",
      "notebooks",
      "results",
      "scenarios",
      "tests",
  };
  std::set<std::string> strangers;
  for (const auto& file : files) {
    const std::string top = components(file.path).front();
    if (!top.starts_with('.') && !allowed.contains(top)) strangers.insert(top);
  }
  Complaints complaints;
  for (const auto& stranger : strangers)
    complaints.push_back(stranger + ": does not belong at the top level");
  return complaints;
}

Complaints check_doors(const Files& files) {
  const auto scenarios = scenarios_in(files);
  Complaints complaints;
  for (const auto& file : files) {
    if (!is_code(file)) continue;
    const auto parts = components(file.path);
    if (parts[0] == "common" && parts.size() > 2) {
      if (doors().contains(parts[1])) {
        append(complaints, check_room(file, parts[1]));
      } else {
        complaints.push_back(fmt::format("{}: there is no room {}", file.path, parts[1]));
      }
    } else if (parts[0] == "scenarios") {
      append(complaints, check_scenario_doors(file, scenarios));
    }
  }
  return complaints;
}

Complaints check_variants(const Files& files) {
  static const std::set<std::string> closed{"harness", "servers", "faults", "backends", "cli"};
  Complaints complaints;
  for (const auto& file : files) {
    if (!is_variant(file)) continue;
    for (const auto& include : includes_of(file)) {
      if (!closed.contains(components(include.path).front())) continue;
      complaints.push_back(
          fmt::format("{}: a variant may not use \"{}\"", at(file, include.line), include.path));
    }
    const auto lines = lines_of(file);
    for (const auto& line : lines) {
      if (directive(line.text, "define")) {
        complaints.push_back(at(file, line) + ": a variant may not define a macro");
      }
    }
    if (lines.size() > kScreen) {
      complaints.push_back(fmt::format("{}: a variant fits on a screen; {} lines are more than {}",
                                       file.path, lines.size(), kScreen));
    }
  }
  return complaints;
}

Complaints check_scenarios(const Files& files) {
  struct Part {
    std::string name, pattern;
    std::vector<std::string> except = {};
    std::ptrdiff_t least = 1;
  };
  static const std::vector<Part> parts{
      {"README.md", "README.md"},
      {"CMakeLists.txt", "CMakeLists.txt"},
      {"main.cpp", "main.cpp"},
      {"bench.cpp", "bench.cpp"},
      {"a workload", "workload*.h"},
      {"checks", "checks*.h"},
      {"a subject (a header of its own)", "*.h", {"workload*", "checks*"}},
      {"two variants", "variants/*.h", {}, 2},
  };
  Complaints complaints;
  for (const auto& scenario : scenarios_in(files)) {
    const std::string folder = "scenarios/" + scenario + "/";
    for (const auto& part : parts) {
      const auto found = std::count_if(files.begin(), files.end(), [&](const File& file) {
        return matches(folder + part.pattern, file.path) &&
               std::none_of(part.except.begin(), part.except.end(), [&](const std::string& other) {
                 return matches(folder + other, file.path);
               });
      });
      if (found < part.least) complaints.push_back(fmt::format("{}: lacks {}", folder, part.name));
    }
  }
  return complaints;
}

Complaints check_no_dead_file(const Files& files, const std::set<std::string>& compiled) {
  const auto included = included_by_someone(files);
  Complaints complaints;
  for (const auto& file : files) {
    if (file.path.ends_with(".cpp") && !compiled.contains(file.path)) {
      complaints.push_back(file.path + ": is not in the build");
    }
    if (file.path.ends_with(".h") && !included.contains(file.path)) {
      complaints.push_back(file.path + ": nobody includes it");
    }
  }
  return complaints;
}

Complaints check_words(const Files& files) {
  Complaints complaints;
  for (const auto& file : files) {
    for (const auto& line : lines_of(file)) {
      for (const auto& forbidden : forbidden_words()) {
        if (!stands_in(line.text, forbidden)) continue;
        complaints.push_back(
            fmt::format("{}: \"{}\": {}", at(file, line), forbidden.text, forbidden.why));
      }
    }
  }
  return complaints;
}

}  // namespace lab::tidy
