#include "harness/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <ostream>

namespace lab::harness {
namespace {

// HdrHistogram with two significant digits: values below 2^8 have a bucket each; above, every power
// of two is cut into 2^7.
constexpr int kLinearBits = 7;
constexpr std::uint64_t kLinearBuckets = 1 << kLinearBits;
constexpr int kTicksPerHalfDistance = 5;

std::size_t bucket_of(std::uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - (kLinearBits + 1));
  return static_cast<std::size_t>(shift) * kLinearBuckets + (value >> shift);
}

/// The largest value that falls into the bucket.
std::uint64_t highest_in(std::size_t bucket) {
  const std::uint64_t shift = bucket < 2 * kLinearBuckets ? 0 : bucket / kLinearBuckets - 1;
  const std::uint64_t base = bucket - shift * kLinearBuckets;
  return ((base + 1) << shift) - 1;
}

/// How far one line of the percentile table is from the next, in percent (in which the steps are
/// exact): five lines until the distance to 100 has halved.
double step_after(double percent) {
  const double halvings = std::floor(std::log2(100 / (100 - percent))) + 1;
  return 100 / (kTicksPerHalfDistance * std::exp2(halvings));
}

}  // namespace

void Histogram::record(Nanos value, std::uint64_t count) {
  if (count == 0) return;
  value = std::clamp(value, Nanos{0}, Nanos{kHighest});
  const auto ns = static_cast<std::uint64_t>(value.count());
  const std::size_t bucket = bucket_of(ns);
  if (bucket >= counts_.size()) counts_.resize(bucket + kLinearBuckets);
  counts_[bucket] += count;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += count;
  sum_ += Wide{ns} * count;
  sum_of_squares_ += Wide{ns} * ns * count;
}

void Histogram::merge(const Histogram& other) {
  if (other.empty()) return;
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  min_ = empty() ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

Nanos Histogram::min() const {
  return min_;
}

Nanos Histogram::max() const {
  return max_;
}

double Histogram::mean_ns() const {
  if (empty()) return 0;
  return static_cast<double>(static_cast<long double>(sum_) / static_cast<long double>(count_));
}

double Histogram::stddev_ns() const {
  if (empty()) return 0;
  const auto n = static_cast<long double>(count_);
  const long double mean = static_cast<long double>(sum_) / n;
  const long double variance = static_cast<long double>(sum_of_squares_) / n - mean * mean;
  return static_cast<double>(std::sqrt(std::max(0.0L, variance)));
}

Nanos Histogram::value_of(std::size_t bucket) const {
  return std::clamp(Nanos(static_cast<std::int64_t>(highest_in(bucket))), min_, max_);
}

Nanos Histogram::percentile(double fraction) const {
  if (empty()) return Nanos{0};
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return value_of(i);
  }
  return max_;
}

void Histogram::write_hgrm(std::ostream& out) const {
  out << fmt::format("{:>12} {:>12} {:>12} {:>12}\n\n", "Value", "Percentile", "TotalCount",
                     "1/(1-Percentile)");
  write_percentiles(out);
  // Like HdrHistogram's, for a range up to kHighest.
  const auto buckets = std::bit_width(static_cast<std::uint64_t>(kHighest.count())) - kLinearBits;
  out << fmt::format("#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", mean_ns() / 1e3,
                     stddev_ns() / 1e3);
  out << fmt::format("#[Max     = {:12.3f}, Total count    = {:12}]\n", microseconds(max_), count_);
  out << fmt::format("#[Buckets = {:12}, SubBuckets     = {:12}]\n", buckets, 2 * kLinearBuckets);
}

void Histogram::write_percentiles(std::ostream& out) const {
  if (empty()) return;
  std::uint64_t seen = 0;
  double percent = 0;
  for (std::size_t i = 0; i < counts_.size() && seen < count_; ++i) {
    if (counts_[i] == 0) continue;
    seen += counts_[i];
    const double reached = 100 * static_cast<double>(seen) / static_cast<double>(count_);
    while (percent <= reached && percent < 100) {
      out << fmt::format("{:12.3f} {:12.6f} {:12} {:12.2f}\n", microseconds(value_of(i)),
                         percent / 100, seen, 100 / (100 - percent));
      percent += step_after(percent);
      if (seen == count_) break;
    }
  }
  out << fmt::format("{:12.3f} {:12.6f} {:12}\n", microseconds(max_), 1.0, count_);
}

}  // namespace lab::harness
