#include "queue/retry_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

namespace lab::queue {
namespace {

RetryPolicy policy(Backoff backoff, std::uint64_t seed = 1) {
  return {.backoff = backoff, .base = 100ms, .cap = 1000ms, .seed = seed};
}

TEST(RetryPolicy, NoneIsAtOnceAndFixedIsTheBase) {
  for (const int attempt : {1, 2, 30}) {
    EXPECT_EQ(policy(Backoff::none).delay("a", attempt), 0ms);
    EXPECT_EQ(policy(Backoff::fixed).delay("a", attempt), 100ms);
  }
}

TEST(RetryPolicy, ExponentialDoublesUpToTheCap) {
  const std::vector<Nanos> expected{100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms};
  for (int attempt = 1; attempt <= 6; ++attempt)
    EXPECT_EQ(policy(Backoff::exponential).delay("a", attempt),
              expected[static_cast<std::size_t>(attempt - 1)]);
  EXPECT_EQ(policy(Backoff::exponential).delay("a", 1'000'000), 1000ms) << "no overflow";
  const RetryPolicy odd{.backoff = Backoff::exponential, .base = 10s, .cap = 1s};
  EXPECT_EQ(odd.delay("a", 1), 1s) << "the cap holds for the base too";
}

TEST(RetryPolicy, JitterFillsItsBounds) {
  constexpr int kJobs = 2000;
  for (int attempt = 1; attempt <= 5; ++attempt) {
    const auto [least, most] = policy(Backoff::jitter).bounds(attempt);
    EXPECT_EQ(least, 0ms);
    EXPECT_EQ(most, policy(Backoff::exponential).delay("a", attempt));
    std::vector<double> parts;
    for (int job = 0; job < kJobs; ++job) {
      const Nanos delay = policy(Backoff::jitter).delay(std::to_string(job), attempt);
      ASSERT_GE(delay, least);
      ASSERT_LE(delay, most);
      parts.push_back(seconds(delay) / seconds(most));
    }
    // Kolmogorov-Smirnov against uniform: 1.95/sqrt(n) is passed by chance once in a thousand.
    std::sort(parts.begin(), parts.end());
    double distance = 0;
    for (int i = 0; i < kJobs; ++i)
      distance = std::max(
          distance, std::abs(parts[static_cast<std::size_t>(i)] - static_cast<double>(i) / kJobs));
    EXPECT_LT(distance, 1.95 / std::sqrt(kJobs)) << "attempt " << attempt;
  }
}

TEST(RetryPolicy, TheSeedDecides) {
  const auto delay = [](std::uint64_t seed) { return policy(Backoff::jitter, seed).delay("a", 3); };
  EXPECT_EQ(delay(1), delay(1));
  EXPECT_NE(delay(1), delay(2));
  EXPECT_NE(policy(Backoff::jitter).delay("a", 3), policy(Backoff::jitter).delay("b", 3));
}

TEST(RetryPolicy, HasNames) {
  for (const Backoff backoff :
       {Backoff::none, Backoff::fixed, Backoff::exponential, Backoff::jitter})
    EXPECT_EQ(*parse_backoff(name(backoff)), backoff);
  const auto typo = parse_backoff("exponental");
  ASSERT_FALSE(typo);
  EXPECT_THAT(typo.error().message, ::testing::HasSubstr("'exponential'"));
}

}  // namespace
}  // namespace lab::queue
