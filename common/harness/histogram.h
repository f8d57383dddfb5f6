#pragma once
// A log-linear histogram of durations: 2^7 linear buckets per power of two, so a recorded value is
// known to better than 1 % over the whole range. The layout and the .hgrm output are those of
// HdrHistogram (Tene).

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "core/clock.h"

namespace lab::harness {

/// Not thread-safe: one per thread, then merge().
class Histogram {
 public:
  static constexpr Nanos kHighest = std::chrono::hours(1);  // longer ones are counted as this long

  void record(Nanos value, std::uint64_t count = 1);  // negative values are counted as 0
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  Nanos min() const;         // exact; zero when empty
  Nanos max() const;         // exact; zero when empty
  double mean_ns() const;    // exact
  double stddev_ns() const;  // exact, of the population

  /// The smallest recorded value with at least `fraction` of all values at or below it, or at most
  /// 1 % more. fraction in [0, 1]; zero when empty.
  Nanos percentile(double fraction) const;

  /// HdrHistogram's classic percentile table, values in microseconds; its plotters read it.
  void write_hgrm(std::ostream& out) const;

 private:
  using Wide = unsigned __int128;  // sums of squares stay exact, so merging in any order is equal

  Nanos value_of(std::size_t bucket) const;
  void write_percentiles(std::ostream& out) const;

  std::vector<std::uint64_t> counts_;  // grown on demand
  std::uint64_t count_ = 0;
  Nanos min_{}, max_{};
  Wide sum_ = 0, sum_of_squares_ = 0;
};

}  // namespace lab::harness
