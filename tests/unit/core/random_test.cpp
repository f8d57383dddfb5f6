#include "core/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

namespace lab {
namespace {

std::vector<std::uint64_t> draw(Random random, int n) {
  std::vector<std::uint64_t> drawn;
  for (int i = 0; i < n; ++i) drawn.push_back(random());
  return drawn;
}

/// SplitMix64's own published first outputs for seed 1234567.
TEST(Mix64, IsTheFinaliserOfSplitMix64) {
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
  EXPECT_EQ(mix64(1234567 + kGolden), 6457827717110365317U);
  EXPECT_EQ(mix64(1234567 + 2 * kGolden), 3203168211198807973U);
}

/// A seed in a report must replay on any machine, for ever: these values may not change.
TEST(Random, GivesTheSameNumbersEverywhere) {
  EXPECT_EQ(draw(Random(7), 3),
            (std::vector<std::uint64_t>{12923355070828475994U, 5142052590334782674U,
                                        15488392906492639638U}));
}

TEST(Random, StreamsAreRepeatableAndDiffer) {
  const Random random(7);
  EXPECT_EQ(draw(random.stream(3), 5), draw(Random(7).stream(3), 5));
  std::set<std::uint64_t> first;
  for (int number = 0; number < 1000; ++number) first.insert(random.stream(number)());
  EXPECT_EQ(first.size(), 1000U);
}

TEST(Random, BelowStaysBelowAndIsUniform) {
  Random random(1);
  constexpr int kBins = 10, kDraws = 100'000;
  std::array<int, kBins> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.below(kBins));
  double chi_squared = 0;
  for (const int count : counts) {
    chi_squared += std::pow(count - kDraws / kBins, 2) / (kDraws / kBins);
  }
  EXPECT_LT(chi_squared, 27.9);  // 9 degrees of freedom: one seed in a thousand would exceed it
}

TEST(Random, BelowReachesBothEnds) {
  Random random(1);
  EXPECT_EQ(random.below(1), 0U);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random.below(3));
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2}));
}

/// A bound just over half the range rejects almost every second draw.
TEST(Random, BelowIsWithoutBiasForHugeBounds) {
  Random random(1);
  const std::uint64_t bound = (std::uint64_t{1} << 63) + 1;
  int low = 0;
  for (int i = 0; i < 10'000; ++i) low += random.below(bound) < bound / 2;
  EXPECT_NEAR(low, 5000, 250);
}

TEST(Random, UnitIsInTheHalfOpenIntervalWithMeanOneHalf) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = random.unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(Random, ChanceKeepsToItsProbability) {
  Random random(1);
  EXPECT_FALSE(random.chance(0));
  EXPECT_TRUE(random.chance(1));
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += random.chance(0.2);
  EXPECT_NEAR(hits, 20'000, 600);
}

}  // namespace
}  // namespace lab
