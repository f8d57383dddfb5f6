#include "harness/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "core/random.h"

namespace lab::harness {
namespace {

using Values = std::vector<std::int64_t>;

const std::vector<double> kFractions{0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1};

Histogram histogram_of(const Values& values) {
  Histogram histogram;
  for (const auto value : values) histogram.record(Nanos(value));
  return histogram;
}

/// The value that at least the fraction of all values do not exceed, from the sorted values.
std::int64_t exact_percentile(const Values& sorted, double fraction) {
  const auto rank = std::ceil(fraction * static_cast<double>(sorted.size()));
  return sorted[rank < 1 ? 0 : static_cast<std::size_t>(rank) - 1];
}

void expect_percentiles_match(Values values) {
  const Histogram histogram = histogram_of(values);
  std::sort(values.begin(), values.end());
  for (const double fraction : kFractions) {
    const auto exact = exact_percentile(values, fraction);
    const auto told = histogram.percentile(fraction).count();
    EXPECT_GE(told, exact) << "fraction " << fraction;
    EXPECT_LE(static_cast<double>(told), static_cast<double>(exact) * (1 + 1.0 / 128))
        << "fraction " << fraction;
  }
  EXPECT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.min().count(), values.front());
  EXPECT_EQ(histogram.max().count(), values.back());
}

TEST(Histogram, MatchesExactPercentilesOfUniformValues) {
  Random random(1);
  Values values;
  for (int i = 0; i < 100'000; ++i)
    values.push_back(static_cast<std::int64_t>(random.below(5'000'000)));
  expect_percentiles_match(values);
}

TEST(Histogram, MatchesExactPercentilesOfExponentialValues) {
  Random random(2);
  Values values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(static_cast<std::int64_t>(-std::log(1 - random.unit()) * 80'000));
  }
  expect_percentiles_match(values);
}

TEST(Histogram, MatchesExactPercentilesOfTwoFarPeaks) {
  Random random(3);
  Values values;
  for (int i = 0; i < 50'000; ++i) {
    const bool slow = random.chance(0.03);
    values.push_back((slow ? 2'000'000'000 : 90'000) +
                     static_cast<std::int64_t>(random.below(10'000)));
  }
  expect_percentiles_match(values);
}

TEST(Histogram, MatchesExactPercentilesOfAConstant) {
  expect_percentiles_match(Values(1'000, 123'456'789));
}

TEST(Histogram, MatchesExactPercentilesAtBucketEdges) {
  Values values;
  for (int power = 0; power <= 41; ++power) {
    for (const std::int64_t offset : {-1, 0, 1})
      values.push_back((std::int64_t{1} << power) + offset);
  }
  expect_percentiles_match(values);
}

TEST(Histogram, KnowsSmallValuesExactly) {
  for (std::int64_t value = 0; value < 256; ++value) {
    const Histogram histogram = histogram_of({0, value, 1'000});
    EXPECT_EQ(histogram.percentile(0.5).count(), value);
  }
}

TEST(Histogram, KeepsExtremesWithinItsRange) {
  Histogram histogram;
  histogram.record(Nanos(-5));
  histogram.record(Nanos::max());
  EXPECT_EQ(histogram.min(), Nanos(0));
  EXPECT_EQ(histogram.max(), Histogram::kHighest);
  EXPECT_EQ(histogram.percentile(0.5), Nanos(0));
  EXPECT_EQ(histogram.percentile(1), Histogram::kHighest);
}

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram histogram;
  EXPECT_TRUE(histogram.empty());
  EXPECT_EQ(histogram.percentile(0.5), Nanos(0));
  EXPECT_EQ(histogram.min(), Nanos(0));
  EXPECT_EQ(histogram.max(), Nanos(0));
  EXPECT_EQ(histogram.mean_ns(), 0);
  EXPECT_EQ(histogram.stddev_ns(), 0);
}

TEST(Histogram, AcceptsFractionsOutsideItsRange) {
  const Histogram histogram = histogram_of({1, 2, 3});
  EXPECT_EQ(histogram.percentile(-1), Nanos(1));
  EXPECT_EQ(histogram.percentile(2), Nanos(3));
}

TEST(Histogram, KnowsMeanAndDeviationExactly) {
  const Histogram histogram = histogram_of({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 5);
  EXPECT_DOUBLE_EQ(histogram.stddev_ns(), 2);
}

TEST(Histogram, SeesNoDeviationInALongConstant) {
  Histogram histogram;
  histogram.record(30min, 10'000'000);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 1.8e12);
  EXPECT_NEAR(histogram.stddev_ns(), 0, 1e4);  // of 1.8e12
}

TEST(Histogram, CountsManyAtOnceLikeOneByOne) {
  Histogram at_once, one_by_one;
  at_once.record(7ms, 3);
  at_once.record(9ms, 0);
  for (int i = 0; i < 3; ++i) one_by_one.record(7ms);
  EXPECT_EQ(at_once.count(), 3u);
  EXPECT_EQ(at_once.max(), one_by_one.max());
  EXPECT_EQ(at_once.mean_ns(), one_by_one.mean_ns());
}

TEST(Histogram, MergesIntoWhatOneHistogramWouldHaveSeen) {
  Random random(4);
  Histogram whole, parts[3], merged;
  for (int i = 0; i < 30'000; ++i) {
    const Nanos value(
        static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(40))));
    whole.record(value);
    parts[i % 3].record(value);
  }
  for (const auto& part : parts) merged.merge(part);
  merged.merge(Histogram());
  std::ostringstream expected, told;
  whole.write_hgrm(expected);
  merged.write_hgrm(told);
  EXPECT_EQ(told.str(), expected.str());
}

// ---- .hgrm -----------------------------------------------------------------------------------

std::vector<std::string> hgrm_lines(const Histogram& histogram) {
  std::ostringstream out;
  histogram.write_hgrm(out);
  std::istringstream in(out.str());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Hgrm, IsHdrHistogramsClassicTable) {
  Histogram histogram;
  for (int us = 1; us <= 4; ++us) histogram.record(std::chrono::microseconds(us));
  const std::vector<std::string> expected{
      "       Value   Percentile   TotalCount 1/(1-Percentile)",
      "",
      "       1.003     0.000000            1         1.00",
      "       1.003     0.100000            1         1.11",
      "       1.003     0.200000            1         1.25",
      "       2.007     0.300000            2         1.43",
      "       2.007     0.400000            2         1.67",
      "       2.007     0.500000            2         2.00",
      "       3.007     0.550000            3         2.22",
      "       3.007     0.600000            3         2.50",
      "       3.007     0.650000            3         2.86",
      "       3.007     0.700000            3         3.33",
      "       3.007     0.750000            3         4.00",
      "       4.000     0.775000            4         4.44",
      "       4.000     1.000000            4",
      "#[Mean    =        2.500, StdDeviation   =        1.118]",
      "#[Max     =        4.000, Total count    =            4]",
      "#[Buckets =           35, SubBuckets     =          256]",
  };
  EXPECT_EQ(hgrm_lines(histogram), expected);
}

TEST(Hgrm, HasOnlyAHeadAndAFootWhenEmpty) {
  EXPECT_EQ(hgrm_lines(Histogram()).size(), 5u);
}

TEST(Hgrm, RisesInEveryColumnAndEndsWithTheMaximum) {
  Random random(5);
  Histogram histogram;
  for (int i = 0; i < 200'000; ++i) {
    histogram.record(Nanos(static_cast<std::int64_t>(-std::log(1 - random.unit()) * 1e6)));
  }
  const auto lines = hgrm_lines(histogram);
  double last_value = 0, last_fraction = -1;
  std::uint64_t last_count = 0;
  for (std::size_t i = 2; i + 3 < lines.size(); ++i) {
    double value = 0, fraction = 0, inverse = 0;
    std::uint64_t count = 0;
    std::istringstream row(lines[i]);
    ASSERT_TRUE(row >> value >> fraction >> count) << lines[i];
    const bool last = i + 4 == lines.size();
    EXPECT_EQ(static_cast<bool>(row >> inverse), !last) << lines[i];
    EXPECT_GE(value, last_value);
    EXPECT_GE(fraction, last_fraction);
    EXPECT_GE(count, last_count);
    // Printed to six digits.
    EXPECT_GE(static_cast<double>(count) / 200'000 + 1e-6, fraction);
    std::tie(last_value, last_fraction, last_count) = std::tie(value, fraction, count);
  }
  EXPECT_EQ(last_fraction, 1);
  EXPECT_EQ(last_count, 200'000u);
  EXPECT_NEAR(last_value, microseconds(histogram.max()), 0.001);
}

}  // namespace
}  // namespace lab::harness
