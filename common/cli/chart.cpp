#include "cli/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/invalid.h"
#include "core/text.h"

namespace lab::cli {
namespace {

using nlohmann::json;

constexpr int kLeft = 190, kBars = 440, kWidth = 760, kBar = 12, kGap = 10, kTop = 14;
constexpr std::array kColours{"#4878a8", "#e08040", "#7aa050", "#a05080"};

std::string words(std::string metric) {
  std::replace(metric.begin(), metric.end(), '_', ' ');
  return metric;
}

std::string number(double value) {
  if (value >= 100) return with_thousands(std::llround(value));
  return fmt::format("{:.3g}", value);
}

/// The median; none where the variant has no such metric.
std::optional<double> median_of(const json& variant, const std::string& name) {
  for (const auto& metric : variant.at("metrics")) {
    if (metric.at("name") == name) return metric.at("median").get<double>();
  }
  return std::nullopt;
}

bool somebody_has(const json& result, const std::string& name) {
  const auto& variants = result.at("variants");
  return std::any_of(variants.begin(), variants.end(),
                     [&](const json& variant) { return median_of(variant, name).has_value(); });
}

std::string text(int x, int y, std::string_view anchor, std::string_view what) {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, what);
}

std::string bar(int y, std::optional<double> measured, double largest, std::string_view colour) {
  if (!measured) return text(kLeft + 5, y + kBar - 2, "start", "–");
  const double value = *measured, width = largest > 0 ? value / largest * kBars : 0;
  return fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n",
                     kLeft, y, std::max(width, 1.0), kBar - 1, colour) +
         text(kLeft + static_cast<int>(std::lround(width)) + 5, y + kBar - 2, "start",
              number(value));
}

std::string legend(int y, const std::vector<std::string>& metrics) {
  std::string svg;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const int line = y + static_cast<int>(i) * (kBar + 4);
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", kLeft,
                       line, kBar, kBar - 1, kColours.at(i));
    svg += text(kLeft + kBar + 6, line + kBar - 2, "start", words(metrics[i]));
  }
  return svg + text(kLeft + kBars, y + kBar - 2, "end", "✗: a check was broken or could not tell");
}

std::string chart(const json& result, const std::vector<std::string>& metrics) {
  double largest = 0;
  for (const auto& variant : result.at("variants")) {
    for (const auto& metric : metrics)
      largest = std::max(largest, median_of(variant, metric).value_or(0));
  }
  std::string svg;
  const int group = static_cast<int>(metrics.size()) * kBar;
  int y = kTop;
  for (const auto& variant : result.at("variants")) {
    const bool ranked = variant.at("ranked");
    svg += text(kLeft - 8, y + group / 2 + 4, "end",
                variant.at("name").get<std::string>() + (ranked ? "" : " ✗"));
    for (std::size_t i = 0; i < metrics.size(); ++i)
      svg += bar(y + static_cast<int>(i) * kBar, median_of(variant, metrics[i]), largest,
                 kColours.at(i));
    y += group + kGap;
  }
  svg += legend(y + kGap, metrics);
  const int height = y + 2 * kGap + static_cast<int>(metrics.size()) * (kBar + 4);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{0}\" height=\"{1}\" "
      "fill=\"white\"/>\n{2}</svg>\n",
      kWidth, height, svg);
}

}  // namespace

Result<std::string> bar_chart(std::string_view recorded, const std::vector<std::string>& metrics) {
  try {
    const json result = json::parse(recorded);
    if (result.value("schema", "") != "lab.result/1")
      return invalid("not a result of schema lab.result/1");
    if (metrics.empty() || metrics.size() > kColours.size())
      return invalid(fmt::format("a picture has one to {} metrics", kColours.size()));
    for (const auto& metric : metrics) {
      if (!somebody_has(result, metric)) return invalid("there is no metric " + metric);
    }
    return chart(result, metrics);
  } catch (const json::exception& problem) {
    return invalid(fmt::format("not a result of schema lab.result/1: {}", problem.what()));
  }
}

}  // namespace lab::cli
