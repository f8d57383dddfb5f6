#include "cli/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "cli/invalid.h"
#include "core/text.h"

namespace lab::cli {
namespace {

using nlohmann::json;

std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string row(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const auto& each : cells) text += " " + cell(each) + " |";
  return text + "\n";
}

/// Columns after the first are centred or, for numbers, right-aligned: `rule` is ":-:" or "--:".
std::string header(const std::vector<std::string>& titles, const std::string& rule) {
  std::string text = row(titles) + "|---|";
  for (std::size_t i = 1; i < titles.size(); ++i) text += rule + "|";
  return text + "\n";
}

/// Three significant digits: more would pretend to a precision that no run has.
std::string three_digits(double value) {
  if (value == 0) return "0";
  const double magnitude = std::floor(std::log10(std::abs(value)));
  const double unit = std::pow(10.0, magnitude - 2);
  const double rounded = std::round(value / unit) * unit;
  if (std::abs(rounded) >= 100) return with_thousands(std::llround(rounded));
  const int digits = std::clamp(static_cast<int>(2 - magnitude), 0, 6);
  return fmt::format("{:.{}f}", rounded, digits);
}

std::string spread(const json& of) {
  std::string median = three_digits(of.at("median"));
  if (of.at("n") == 1) return median;
  return fmt::format("{} [{}, {}]", median, three_digits(of.at("low")),
                     three_digits(of.at("high")));
}

std::string symbol(const std::string& verdict) {
  if (verdict == "holds") return "✓";
  return verdict == "violated" ? "✗" : "?";
}

/// "✓ wait 3 ms": a check that holds may say what that cost.
std::string marked(const json& answer) {
  const std::string verdict = answer.at("verdict"), cost = answer.at("witness");
  return symbol(verdict) + (verdict == "holds" && !cost.empty() ? " " + cost : "");
}

const json* find_named(const json& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const json& each) { return each.at("name") == name; });
  return found == list.end() ? nullptr : &*found;
}

std::string where_from(const json& result) {
  std::string servers;
  for (const auto& server : result.at("servers")) {
    servers += fmt::format("{} {}, ", server.at("kind").get<std::string>(),
                           server.at("version").get<std::string>());
  }
  const json& machine = result.at("machine");
  return fmt::format("\n<sub>{}backend {}, fault {}, seed {}, commit {}; {} × {}, {}</sub>\n",
                     servers, result.at("backend").get<std::string>(),
                     result.at("fault").get<std::string>(), result.at("seed").get<std::uint64_t>(),
                     result.at("commit").get<std::string>(), machine.at("cpus").get<int>(),
                     machine.at("cpu").get<std::string>(), machine.at("system").get<std::string>());
}

std::string link(const std::string& name, const json& variant, const std::string& document) {
  namespace fs = std::filesystem;
  const fs::path source = variant.at("source").get<std::string>();
  if (source.empty()) return name;
  const fs::path folder = fs::path(document).parent_path();
  return fmt::format("[{}]({})", name,
                     source.lexically_relative(folder.empty() ? "." : folder).string());
}

std::string variants(const json& result, const std::string& document) {
  std::string text = header({"variant", "promise", "what it adds"}, "---");
  for (const auto& variant : result.at("variants")) {
    text += row(
        {link(variant.at("name"), variant, document), variant.at("promise"), variant.at("idea")});
  }
  return text;
}

std::string correctness(const json& result) {
  std::vector<std::string> titles{"check"};
  for (const auto& variant : result.at("variants")) titles.push_back(variant.at("name"));
  std::string text = header(titles, ":-:");
  for (const auto& check : result.at("checks")) {
    const std::string name = check.at("name");
    std::vector<std::string> cells{
        fmt::format("**{}**: {}", name, check.at("claim").get<std::string>())};
    for (const auto& variant : result.at("variants")) {
      const json* answer = find_named(variant.at("checks"), name);
      cells.push_back(answer == nullptr ? "–" : marked(*answer));
    }
    text += row(cells);
  }
  return text + "\n✓ holds · ✗ violated · ? inconclusive · – does not apply\n";
}

std::string witnesses(const json& result) {
  std::string text = header({"variant", "broke", "witness"}, "---");
  for (const auto& variant : result.at("variants")) {
    for (const auto& check : variant.at("checks")) {
      if (check.at("verdict") != "violated") continue;
      text += row({variant.at("name"), check.at("name"), check.at("witness")});
    }
  }
  return text;
}

/// The metrics of all variants, in the order in which they are first met, with their units.
std::vector<std::pair<std::string, std::string>> metrics_of(const json& result) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& variant : result.at("variants")) {
    for (const auto& metric : variant.at("metrics")) {
      const std::pair<std::string, std::string> entry(metric.at("name"), metric.at("unit"));
      if (std::find(found.begin(), found.end(), entry) == found.end()) found.push_back(entry);
    }
  }
  return found;
}

/// "read_p99_us" in us is "read p99 us": a unit that the name ends in is not said twice, and a plain count has none.
std::string title(const std::string& metric, const std::string& unit) {
  std::string words = metric;
  std::replace(words.begin(), words.end(), '_', ' ');
  const bool said =
      words.ends_with(" " + unit) || (unit == "1/s" && words.ends_with(" per second"));
  return said || unit.empty() || unit == "1" ? words : fmt::format("{} ({})", words, unit);
}

/// Taken once, in the fault run: it tells how a variant failed, not how fast it is.
bool is_evidence(const json& metric) {
  return metric.at("n") == 1;
}

Result<std::string> speed(const json& result, const std::vector<std::string>& chosen) {
  std::map<std::string, std::string> units;
  std::vector<std::string> all;
  for (const auto& [name, unit] : metrics_of(result)) {
    units[name] = unit;
    all.push_back(name);
  }
  std::vector<std::string> titles{"variant"};
  for (const auto& name : chosen.empty() ? all : chosen) {
    if (!units.contains(name)) {
      return invalid(
          fmt::format("there is no metric {}; there are: {}", name, fmt::join(all, ", ")));
    }
    titles.push_back(title(name, units[name]));
  }
  std::string text = header(titles, "--:");
  bool timed = false;
  for (const auto& variant : result.at("variants")) {
    const bool ranked = variant.at("ranked");
    std::vector<std::string> cells{variant.at("name")};
    for (const auto& name : chosen.empty() ? all : chosen) {
      const json* metric = find_named(variant.at("metrics"), name);
      std::string value = metric == nullptr ? "–" : spread(*metric);
      const bool of_rounds = metric != nullptr && !is_evidence(*metric);
      if (of_rounds && !ranked) value = "~~" + value + "~~";
      timed |= of_rounds;
      cells.push_back(std::move(value));
    }
    text += row(cells);
  }
  if (!timed) return text + "\nCounted once, in the run that was checked.\n";
  return text +
         "\nMedian [quartiles] of the rounds; struck out where a check was broken or could not "
         "tell, "
         "so that the speed does not count.\n";
}

/// Those that bound what a variant can do, or those that are there for comparison.
std::string limits(const json& result, bool comparisons) {
  std::string text = header({comparisons ? "for comparison" : "what the machine gives at best",
                             "measured", "best variant", "ratio"},
                            "--:");
  for (const auto& limit : result.at("limits")) {
    if (limit.value("comparison", false) != comparisons) continue;
    const std::string name = limit.at("name"), metric = limit.at("metric"), unit = limit.at("unit");
    // Nobody that it bounds has a rank: then there is nothing to compare it with.
    const bool compared = limit.at("ratio_n").get<int>() > 0;
    text += row({fmt::format("{} ({})", name, metric), spread(limit) + " " + unit,
                 compared ? limit.at("best").get<std::string>() : "–",
                 compared ? fmt::format("{:.2f} [{:.2f}, {:.2f}]", limit.at("ratio").get<double>(),
                                        limit.at("ratio_low").get<double>(),
                                        limit.at("ratio_high").get<double>())
                          : "–"});
  }
  return text;
}

std::string limits(const json& result) {
  const auto& all = result.at("limits");
  const bool comparisons = std::any_of(
      all.begin(), all.end(), [](const json& limit) { return limit.value("comparison", false); });
  return limits(result, false) + (comparisons ? "\n" + limits(result, true) : "");
}

Result<std::string> table(const json& result, const std::string& kind,
                          const std::vector<std::string>& metrics, const std::string& document) {
  if (kind == "variants") return variants(result, document);
  if (kind == "correctness") return correctness(result) + where_from(result);
  if (kind == "witnesses") return witnesses(result) + where_from(result);
  if (kind == "limits") return limits(result) + where_from(result);
  if (kind != "speed") {
    return invalid("there is no table " + kind +
                   "; there are: variants, correctness, witnesses, speed, limits");
  }
  auto text = speed(result, metrics);
  if (text) *text += where_from(result);
  return text;
}

}  // namespace

Result<std::string> result_table(std::string_view recorded, const std::string& kind,
                                 const std::vector<std::string>& metrics,
                                 const std::string& document) {
  try {
    const json result = json::parse(recorded);
    if (result.value("schema", "") != "lab.result/1") {
      return invalid("not a result of schema lab.result/1");
    }
    return table(result, kind, metrics, document);
  } catch (const json::exception& problem) {
    return invalid(fmt::format("not a result of schema lab.result/1: {}", problem.what()));
  }
}

}  // namespace lab::cli
