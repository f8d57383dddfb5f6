#include "harness/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/random.h"

namespace lab::harness {
namespace {

using Samples = std::vector<double>;

TEST(Summary, IsZeroForNoSamples) {
  const Summary summary = summarize(Samples{});
  EXPECT_EQ(summary.n, 0u);
  EXPECT_EQ(summary.median, 0);
}

TEST(Summary, InterpolatesQuartilesBetweenRanks) {
  const Summary summary = summarize(Samples{8, 1, 3, 6});  // sorted: 1 3 6 8
  EXPECT_DOUBLE_EQ(summary.median, 4.5);
  EXPECT_DOUBLE_EQ(summary.low, 2.5);
  EXPECT_DOUBLE_EQ(summary.high, 6.5);
  EXPECT_EQ(summary.n, 4u);
}

TEST(Summary, HitsRanksOfNineRoundsExactly) {
  const Summary summary = summarize(Samples{9, 8, 7, 6, 5, 4, 3, 2, 1});
  EXPECT_DOUBLE_EQ(summary.median, 5);
  EXPECT_DOUBLE_EQ(summary.low, 3);
  EXPECT_DOUBLE_EQ(summary.high, 7);
}

TEST(Summary, SpansAllOfFewSamples) {
  const Summary summary = summarize(Samples{30, 10, 20});
  EXPECT_DOUBLE_EQ(summary.median, 20);
  EXPECT_DOUBLE_EQ(summary.low, 10);
  EXPECT_DOUBLE_EQ(summary.high, 30);
  const Summary single = summarize(Samples{4});
  EXPECT_DOUBLE_EQ(single.low, 4);
  EXPECT_DOUBLE_EQ(single.high, 4);
}

TEST(PairedRatio, IsExactWithoutNoise) {
  const Ratio ratio = paired_ratio(Samples{20, 40, 60, 80, 100}, Samples{10, 20, 30, 40, 50}, 1);
  EXPECT_DOUBLE_EQ(ratio.value, 2);
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 2);
  EXPECT_EQ(ratio.n, 5u);
  EXPECT_EQ(ratio.answer(), Ratio::Answer::larger);
}

TEST(PairedRatio, SaysSmallerOnlyBelowOne) {
  const Ratio ratio = paired_ratio(Samples{1, 1, 1, 1, 1}, Samples{2, 3, 4, 5, 6}, 1);
  EXPECT_EQ(ratio.answer(), Ratio::Answer::smaller);
  EXPECT_LT(ratio.high, 1);
}

TEST(PairedRatio, CannotTellWhenTheIntervalHoldsOne) {
  const Ratio ratio =
      paired_ratio(Samples{11, 9, 12, 8, 10, 10, 9}, Samples{10, 10, 10, 10, 10, 10, 10}, 1);
  EXPECT_LE(ratio.low, 1);
  EXPECT_GE(ratio.high, 1);
  EXPECT_EQ(ratio.answer(), Ratio::Answer::cannot_tell);
}

TEST(PairedRatio, CannotTellFromFewerThanFiveRounds) {
  EXPECT_EQ(paired_ratio(Samples{20, 20, 20, 20}, Samples{1, 1, 1, 1}, 1).answer(),
            Ratio::Answer::cannot_tell);
}

TEST(PairedRatio, LeavesOutRoundsThatCannotBeCompared) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Ratio ratio = paired_ratio(Samples{2, 4, nan, 6, 8}, Samples{1, 0, 1, 3}, 1);
  EXPECT_EQ(ratio.n, 2u);
  EXPECT_TRUE(std::isfinite(ratio.value));
  EXPECT_EQ(paired_ratio(Samples{}, Samples{1}, 1).n, 0u);
  EXPECT_EQ(paired_ratio(Samples{1}, Samples{0}, 1).answer(), Ratio::Answer::cannot_tell);
}

TEST(PairedRatio, IsTheSameForTheSameSeed) {
  const Samples a{3, 1, 4, 1, 5, 9, 2, 6}, b{2, 7, 1, 8, 2, 8, 1, 8};
  const Ratio first = paired_ratio(a, b, 42), again = paired_ratio(a, b, 42);
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
}

/// Rounds as they come from a drifting machine: both variants share the round's drift, each has
/// noise of its own. The true ratio of medians is `truth`.
Ratio simulated_comparison(Random& random, std::size_t rounds, double truth, std::uint64_t seed) {
  const auto normal = [&random] {
    return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
  };
  Samples a, b;
  for (std::size_t i = 0; i < rounds; ++i) {
    const double drift = 1000 * std::exp(0.5 * normal());
    a.push_back(truth * drift * std::exp(0.1 * normal()));
    b.push_back(drift * std::exp(0.1 * normal()));
  }
  return paired_ratio(a, b, seed);
}

/// In how many of so many simulations the interval held the true ratio.
int covered(std::size_t rounds, int simulations) {
  constexpr double kTruth = 1.7;
  Random random(7);
  int covered = 0;
  for (int i = 0; i < simulations; ++i) {
    const auto ratio = simulated_comparison(random, rounds, kTruth, static_cast<std::uint64_t>(i));
    covered += ratio.low <= kTruth && kTruth <= ratio.high;
  }
  return covered;
}

TEST(PairedRatio, IntervalCoversTheTruthAsOftenAsItSays) {
  for (const std::size_t rounds : {9, 20}) {
    const int times = covered(rounds, 500);
    EXPECT_GE(times, 450) << rounds << " rounds";
    EXPECT_LE(times, 495) << rounds << " rounds";
  }
}

TEST(PairedRatio, SeldomSeesADifferenceWhereThereIsNone) {
  Random random(8);
  int wrong = 0;
  for (int i = 0; i < 500; ++i) {
    const auto ratio = simulated_comparison(random, 9, 1.0, static_cast<std::uint64_t>(i));
    wrong += ratio.answer() != Ratio::Answer::cannot_tell;
  }
  EXPECT_LE(wrong, 50);
}

TEST(RuleOfThree, IsThreeByN) {
  EXPECT_DOUBLE_EQ(rule_of_three(3000), 0.001);
  EXPECT_DOUBLE_EQ(rule_of_three(2), 1);
  EXPECT_DOUBLE_EQ(rule_of_three(0), 1);
}

}  // namespace
}  // namespace lab::harness
