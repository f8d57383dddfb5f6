#include "expected.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include <nlohmann/json.hpp>

#include "expected_files.h"

namespace isolation_matrix {
namespace {

using lab::Error;
using lab::ErrorCode;
using lab::Failure;
using lab::Happened;

std::vector<int> numbers(std::string_view version) {
  std::vector<int> found;
  const char* at = version.data();
  const char* const end = at + version.size();
  while (at < end) {
    int number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{}) break;
    found.push_back(number);
    if (next == end || *next != '.') break;
    at = next + 1;
  }
  return found;
}

/// By engine, oldest first.
std::map<std::string, std::vector<Expected>, std::less<>> read_all() {
  std::map<std::string, std::vector<Expected>, std::less<>> all;
  for (const auto& [name, json] : expected_files()) {
    auto parsed = parse_expected(std::string(name), std::string(json));
    if (!parsed) throw Failure(parsed.error());
    all[parsed->file.substr(0, parsed->file.rfind('-'))].push_back(std::move(*parsed));
  }
  for (auto& [engine, files] : all) {
    std::sort(files.begin(), files.end(),
              [](const Expected& a, const Expected& b) { return older(a.version, b.version); });
  }
  return all;
}

}  // namespace

bool older(std::string_view version, std::string_view other) {
  const auto a = numbers(version), b = numbers(other);
  const std::size_t common = std::min(a.size(), b.size());
  return std::lexicographical_compare(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(common),
                                      b.begin(), b.begin() + static_cast<std::ptrdiff_t>(common));
}

const std::vector<std::string>& Expected::observed(const std::string& variant) const {
  for (const auto& [name, anomalies] : levels) {
    if (name == variant) return anomalies;
  }
  throw Failure(fmt::format("expected/{}.json knows no {}", file, variant));
}

lab::Result<Expected> parse_expected(const std::string& name, const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    Expected expected{.file = name,
                      .version = json.at("version"),
                      .default_level = json.at("default_level"),
                      .measured_on = json.at("measured_on"),
                      .levels = {}};
    for (const auto& [variant, anomalies] : json.at("observed").items())
      expected.levels.emplace_back(variant, anomalies.get<std::vector<std::string>>());
    return expected;
  } catch (const nlohmann::json::exception& problem) {
    return Error{ErrorCode::invalid, Happened::no,
                 fmt::format("expected/{}.json: {}", name, problem.what())};
  }
}

const Expected& expected_of(std::string_view engine, std::string_view version) {
  static const auto all = read_all();
  const auto found = all.find(engine);
  if (found == all.end()) throw Failure(fmt::format("nothing is expected of {}", engine));
  const Expected* best = &found->second.front();
  for (const auto& candidate : found->second) {
    if (!version.empty() && !older(version, candidate.version)) best = &candidate;
  }
  return *best;
}

}  // namespace isolation_matrix
