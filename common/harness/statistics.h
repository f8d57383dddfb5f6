#pragma once
// Numbers as the lab reports them: medians with their spread, and two variants compared by a ratio
// with an interval.

#include <cstddef>
#include <cstdint>
#include <span>

namespace lab::harness {

struct Summary {
  double median = 0;
  /// First and third quartile (linear interpolation between ranks); smallest and largest value when
  /// n < 4.
  double low = 0, high = 0;
  std::size_t n = 0;
};
Summary summarize(std::span<const double> samples);  // all zero when there are none

/// How many times larger a is than b, from rounds in which both ran one after the other (paired by
/// index; a round in which b is 0 is left out). The value is the median of the rounds' ratios, the
/// interval its 95 % percentile bootstrap (Efron 1979), 2,000 resamples, seeded.
struct Ratio {
  double value = 0;
  double low = 0, high = 0;
  std::size_t n = 0;
  enum class Answer { larger, smaller, cannot_tell };
  static constexpr std::size_t kFewestRounds = 5;
  Answer answer() const;  // cannot_tell when the interval holds 1 or n < kFewestRounds
};
Ratio paired_ratio(std::span<const double> a, std::span<const double> b, std::uint64_t seed);

/// The upper end of the 95 % interval for a proportion after 0 events in n trials: 3/n (rule of
/// three), at most 1.
double rule_of_three(std::size_t n);

}  // namespace lab::harness
