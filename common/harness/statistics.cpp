#include "harness/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random.h"

namespace lab::harness {
namespace {

constexpr int kResamples = 2000;
constexpr double kConfidence = 0.95;

/// Linear interpolation between the two nearest ranks (type 7 of Hyndman & Fan 1996).
double quantile(const std::vector<double>& sorted, double fraction) {
  const double rank = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], rank - static_cast<double>(below));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

std::vector<double> ratios_of(std::span<const double> a, std::span<const double> b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double ratio = a[i] / b[i];
    if (b[i] != 0 && std::isfinite(ratio)) ratios.push_back(ratio);
  }
  return ratios;
}

std::vector<double> resampled_medians(const std::vector<double>& values, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> medians(kResamples), resample(values.size());
  for (auto& middle : medians) {
    for (auto& value : resample) value = values[random.below(values.size())];
    middle = median(resample);
  }
  return medians;
}

}  // namespace

Summary summarize(std::span<const double> samples) {
  if (samples.empty()) return {};
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const bool few = sorted.size() < 4;
  return {quantile(sorted, 0.5), quantile(sorted, few ? 0 : 0.25), quantile(sorted, few ? 1 : 0.75),
          sorted.size()};
}

Ratio::Answer Ratio::answer() const {
  if (n < kFewestRounds || (low <= 1 && high >= 1)) return Answer::cannot_tell;
  return low > 1 ? Answer::larger : Answer::smaller;
}

Ratio paired_ratio(std::span<const double> a, std::span<const double> b, std::uint64_t seed) {
  const auto ratios = ratios_of(a, b);
  if (ratios.empty()) return {};
  auto medians = resampled_medians(ratios, seed);
  std::sort(medians.begin(), medians.end());
  constexpr double kTail = (1 - kConfidence) / 2;
  return {median(ratios), quantile(medians, kTail), quantile(medians, 1 - kTail), ratios.size()};
}

double rule_of_three(std::size_t n) {
  return n <= 3 ? 1.0 : 3.0 / static_cast<double>(n);
}

}  // namespace lab::harness
