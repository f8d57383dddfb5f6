// The checks of cache_aside on hand-written histories: each must hold, must break, and must be
// inconclusive.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checks.h"
#include "product_cache.h"

namespace cache_aside {
namespace {

using namespace std::chrono_literals;
using lab::Nanos;
using lab::harness::CheckResult;
using lab::harness::Operation;
using lab::harness::Outcome;
using lab::harness::Verdict;
using ::testing::HasSubstr;

Operation op(Kind kind, std::int64_t key, std::int64_t version, std::int64_t price, Nanos invoked,
             Nanos returned, Outcome outcome = Outcome::ok) {
  Operation operation;
  operation.kind = kind;
  operation.key = key;
  operation.value = version;
  operation.aux = price;
  operation.planned = operation.invoked = invoked;
  operation.returned = returned;
  operation.outcome = outcome;
  return operation;
}

/// Product 7 starts as version 1 at price 100; entries live 100 ms, the slowest fill took 20 ms: B
/// = 120 ms.
class CacheAsideChecks : public ::testing::Test {
 protected:
  CacheAsideChecks() {
    evidence.history = lab::harness::History(lab::Instant{}, 1);
    evidence.initial[7] = Product{ProductId{7}, "kettle", Cents{100}, 1};
    evidence.lifetime = 100ms;
    evidence.slowest_fill = 20ms;
  }

  void read(std::int64_t version, std::int64_t price, Nanos at, Outcome outcome = Outcome::ok) {
    evidence.history.log(0).push_back(op(kRead, 7, version, price, at, at + 1ms, outcome));
  }
  void write(std::int64_t version, std::int64_t price, Nanos at, Outcome outcome = Outcome::ok) {
    evidence.history.log(0).push_back(op(kWrite, 7, version, price, at, at + 1ms, outcome));
  }

  std::optional<CheckResult> judge(const std::string& name) const {
    for (const auto& check : checks()) {
      if (check.name == name) return check.judge(evidence);
    }
    ADD_FAILURE() << "no check " << name;
    return std::nullopt;
  }

  Evidence evidence{lab::Instant{}};
};

TEST_F(CacheAsideChecks, AStaleReadWithinTheBoundHolds) {
  write(2, 200, 10ms);         // acknowledged at 11 ms
  read(1, 100, 11ms + 120ms);  // exactly B later
  const auto result = judge("bounded-staleness");
  EXPECT_EQ(result->verdict, Verdict::holds) << result->witness;
  EXPECT_EQ(lab::milliseconds(largest_staleness(evidence)), 120);
}

TEST_F(CacheAsideChecks, AStaleReadBeyondTheBoundBreaks) {
  write(2, 200, 10ms);
  read(1, 100, 11ms + 121ms);
  const auto result = judge("bounded-staleness");
  ASSERT_EQ(result->verdict, Verdict::violated);
  EXPECT_THAT(result->witness, HasSubstr("product:7"));
  EXPECT_THAT(result->witness, HasSubstr("version 1"));
  EXPECT_THAT(result->witness, HasSubstr("version 2"));
  EXPECT_THAT(result->witness, HasSubstr("121.0 ms after"));
}

TEST_F(CacheAsideChecks, StalenessCountsFromTheFirstNewerAcknowledgement) {
  write(2, 200, 10ms);
  write(3, 300, 100ms);
  read(1, 100, 140ms);  // 129 ms after version 2, though only 39 ms after version 3
  EXPECT_EQ(judge("bounded-staleness")->verdict, Verdict::violated);
  evidence.history.log(0).pop_back();
  read(2, 200, 140ms);
  EXPECT_EQ(judge("bounded-staleness")->verdict, Verdict::holds);
}

TEST_F(CacheAsideChecks, AVariantThatPromisesAtOnceIsHeldToIt) {
  evidence.at_once = true;
  write(2, 200, 10ms);
  read(2, 200, 12ms);
  EXPECT_EQ(judge("bounded-staleness")->verdict, Verdict::holds);
  read(1, 100, 12ms);  // began 1 ms after the acknowledgement
  EXPECT_EQ(judge("bounded-staleness")->verdict, Verdict::violated);
}

TEST_F(CacheAsideChecks, AReadConcurrentWithTheWriteMayReturnEither) {
  evidence.at_once = true;
  write(2, 200, 10ms);
  read(1, 100, 11ms);  // began in the very instant of the acknowledgement
  EXPECT_EQ(judge("bounded-staleness")->verdict, Verdict::holds);
}

TEST_F(CacheAsideChecks, AnUnacknowledgedWriteBoundsNobody) {
  write(2, 200, 10ms, Outcome::info);
  read(1, 100, 500ms);
  EXPECT_EQ(judge("bounded-staleness")->verdict,
            Verdict::inconclusive);  // nothing was acknowledged
}

TEST_F(CacheAsideChecks, StalenessOfNothingIsInconclusive) {
  read(1, 100, 10ms);
  EXPECT_EQ(judge("bounded-staleness")->verdict, Verdict::inconclusive);
}

TEST_F(CacheAsideChecks, ValuesFromSeedAcknowledgedAndUnknownWritesHaveAnOrigin) {
  write(2, 200, 10ms);
  write(0, 300, 20ms, Outcome::info);
  read(1, 100, 1ms);
  read(2, 200, 15ms);
  read(3, 300, 25ms);
  EXPECT_EQ(judge("provenance")->verdict, Verdict::holds);
}

TEST_F(CacheAsideChecks, AValueThatNobodyWroteIsAStranger) {
  read(1, 101, 1ms);
  EXPECT_EQ(judge("provenance")->verdict, Verdict::violated);
}

TEST_F(CacheAsideChecks, AVersionThatItsWriteDidNotHaveIsAStranger) {
  write(2, 200, 10ms);
  read(3, 200, 15ms);
  EXPECT_EQ(judge("provenance")->verdict, Verdict::violated);
}

TEST_F(CacheAsideChecks, AWriteThatSurelyFailedMustNeverBeSeen) {
  write(2, 200, 10ms, Outcome::fail);
  read(2, 200, 15ms);
  EXPECT_EQ(judge("provenance")->verdict, Verdict::violated);
}

TEST_F(CacheAsideChecks, NoReadNoProvenance) {
  EXPECT_EQ(judge("provenance")->verdict, Verdict::inconclusive);
}

TEST_F(CacheAsideChecks, ConvergenceComparesEveryNodeWithTheDatabase) {
  EXPECT_EQ(judge("convergence")->verdict, Verdict::inconclusive);
  evidence.at_rest = {{ProductId{7}, 0, 2, 2}, {ProductId{7}, 1, 2, 2}};
  EXPECT_EQ(judge("convergence")->verdict, Verdict::holds);
  evidence.at_rest_asked = 3;  // one of them failed
  EXPECT_EQ(judge("convergence")->verdict, Verdict::inconclusive);
  evidence.at_rest.push_back({ProductId{8}, 1, 1, 2});
  const auto result = judge("convergence");
  ASSERT_EQ(result->verdict, Verdict::violated);
  EXPECT_THAT(result->witness, HasSubstr("node 1 still serves version 1 of product:8"));
}

class CacheAsideOutage : public CacheAsideChecks {
 protected:
  CacheAsideOutage() {
    evidence.outage = {100ms, 200ms};
    evidence.cache_timeout = 50ms;
    evidence.store_p99 = 5ms;
    evidence.worst_hiccup = 2ms;
  }
  void reads(int count, Nanos latency, Outcome outcome = Outcome::ok) {
    for (int i = 0; i < count; ++i)
      evidence.history.log(0).push_back(op(kRead, 7, 1, 100, 150ms, 150ms + latency, outcome));
  }
};

TEST_F(CacheAsideOutage, WithoutAnOutageItDoesNotApply) {
  evidence.outage = {};
  EXPECT_FALSE(judge("available").has_value());
}

TEST_F(CacheAsideOutage, TooFewReadsSayNothing) {
  reads(49, 1ms);
  EXPECT_EQ(judge("available")->verdict, Verdict::inconclusive);
}

TEST_F(CacheAsideOutage, QuickReadsHold) {
  reads(1000, 40ms);
  EXPECT_EQ(judge("available")->verdict, Verdict::holds);
}

TEST_F(CacheAsideOutage, OneFailureInAThousandIsAllowedAndTwoAreNot) {
  reads(999, 1ms);
  reads(1, 1ms, Outcome::fail);
  EXPECT_EQ(judge("available")->verdict, Verdict::holds);
  reads(1, 1ms, Outcome::fail);
  EXPECT_EQ(judge("available")->verdict, Verdict::violated);
}

TEST_F(CacheAsideOutage, HangingReadsBreak) {
  reads(950, 1ms);
  reads(50, 90ms);
  const auto result = judge("available");
  ASSERT_EQ(result->verdict, Verdict::violated);
  EXPECT_THAT(result->witness, HasSubstr("allowed: 57 ms"));
}

TEST_F(CacheAsideOutage, OnAMachineTooSlowToTellAHangNothingIsSaid) {
  evidence.worst_hiccup = 90ms;
  reads(1000, 95ms);
  EXPECT_EQ(judge("available")->verdict, Verdict::inconclusive);
  reads(200'000, 1ms);
  EXPECT_EQ(judge("available")->verdict, Verdict::holds);
}

TEST_F(CacheAsideOutage, ADatabaseSlowerThanTheCachesLimitIsNoVariantsDoing) {
  evidence.store_p99 = evidence.store_p99_within = 60ms;
  reads(1000, 140ms);
  EXPECT_EQ(judge("available")->verdict, Verdict::inconclusive);
  evidence.store_p99_within = 1ms;  // only those that had hung made it slow
  EXPECT_EQ(judge("available")->verdict, Verdict::violated);
}

TEST_F(CacheAsideOutage, WaitingForAFreeClientIsNoVariantsDoing) {
  for (int i = 0; i < 1000; ++i) {
    auto late = op(kRead, 7, 1, 100, 230ms, 231ms);
    late.planned = 150ms;
    evidence.history.log(0).push_back(late);
  }
  EXPECT_EQ(judge("available")->verdict, Verdict::inconclusive);
}

TEST_F(CacheAsideOutage, WhatAReadsThreadWaitedForACoreIsNoVariantsDoing) {
  reads(1000, 80ms);
  for (auto& read : evidence.history.log(0)) read.no_core = 30ms;
  EXPECT_EQ(judge("available")->verdict, Verdict::holds);
}

TEST_F(CacheAsideOutage, HangingReadsBreakHoweverLongTheyAlsoWaitedForACore) {
  reads(1000, 90ms);
  for (auto& read : evidence.history.log(0)) read.no_core = 30ms;
  const auto result = judge("available");
  ASSERT_EQ(result->verdict, Verdict::violated);
  EXPECT_THAT(result->witness, HasSubstr("60 ms, not counting the time without a core"));
}

TEST_F(CacheAsideOutage, ReadsOutsideTheOutageDoNotCount) {
  reads(1000, 1ms);
  for (int i = 0; i < 1000; ++i) read(1, 100, 300ms, Outcome::fail);
  EXPECT_EQ(judge("available")->verdict, Verdict::holds);
}

class CacheAsideExpiry : public CacheAsideChecks {
 protected:
  CacheAsideExpiry() {
    evidence.expires = true;
    evidence.expiry_interval = 50ms;
    evidence.slow_query = 5ms;
    evidence.patience = 25ms;
  }
  static StoreRead load_at(Nanos at, Nanos took = 5ms) {
    return {ProductId{kHotProduct}, lab::Instant{at}, lab::Instant{at + took}};
  }
  /// A second load at that time, of an entry that was loaded 40 ms before.
  Verdict of_a_second_load_at(Nanos at) {
    evidence.hot_loads.resize(2);
    evidence.hot_loads[1] = {load_at(at - 40ms), load_at(at)};
    return judge("one-load-per-expiry")->verdict;
  }
};

TEST_F(CacheAsideExpiry, OneLoadPerNodeAndExpiryHolds) {
  evidence.hot_loads = {{load_at(0ms), load_at(100ms)}, {load_at(1ms), load_at(101ms)}};
  EXPECT_EQ(judge("one-load-per-expiry")->verdict, Verdict::holds);
  EXPECT_EQ(most_loads_per_expiry(evidence), 1u);
}

TEST_F(CacheAsideExpiry, TwoLoadsOfOneNodeForOneExpiryBreak) {
  evidence.hot_loads = {{load_at(0ms), load_at(1ms), load_at(100ms)}, {}};
  EXPECT_EQ(judge("one-load-per-expiry")->verdict, Verdict::violated);
  EXPECT_EQ(most_loads_per_expiry(evidence), 2u);
}

TEST_F(CacheAsideExpiry, ARedisOrAMachineThatStoodStillExcusesASecondLoad) {
  evidence.pings = {{1000ms, 1024ms}};
  EXPECT_EQ(of_a_second_load_at(1025ms), Verdict::violated) << "shorter than patience";
  evidence.pings = {{1000ms, 1025ms}};
  EXPECT_EQ(of_a_second_load_at(1024ms), Verdict::violated) << "patience had not ended";
  EXPECT_EQ(of_a_second_load_at(1025ms), Verdict::inconclusive);
  EXPECT_EQ(of_a_second_load_at(1149ms), Verdict::inconclusive);
  EXPECT_EQ(of_a_second_load_at(1150ms), Verdict::violated) << "a breaker would have closed again";
}

TEST_F(CacheAsideExpiry, ADatabaseThatStoodStillExcusesASecondLoad) {
  evidence.hot_loads = {{load_at(995ms, 30ms)}};
  EXPECT_EQ(of_a_second_load_at(1024ms), Verdict::violated) << "patience had not ended";
  EXPECT_EQ(of_a_second_load_at(1025ms), Verdict::inconclusive);
  evidence.hot_loads = {{load_at(995ms, 29ms)}};
  EXPECT_EQ(of_a_second_load_at(1025ms), Verdict::violated) << "shorter than a load and patience";
}

TEST_F(CacheAsideExpiry, AReadThatHungExcusesNothing) {
  auto read = op(kRead, kHotProduct, 1, 100, 1000ms, 1100ms);
  read.no_core = 90ms;
  evidence.history.log(0).push_back(read);
  EXPECT_EQ(of_a_second_load_at(1099ms), Verdict::violated);
  evidence.speed_counts = false;
  EXPECT_EQ(of_a_second_load_at(1099ms), Verdict::inconclusive) << "the sanitizer hung, perhaps";
  EXPECT_EQ(of_a_second_load_at(1001ms), Verdict::violated) << "a stampede's begin at once";
}

TEST_F(CacheAsideExpiry, AnExcuseIsOfItsOwnTimeOnly) {
  evidence.pings = {{1000ms, 1030ms}};
  evidence.hot_loads = {{load_at(1000ms), load_at(1001ms), load_at(1040ms)}};
  EXPECT_EQ(judge("one-load-per-expiry")->verdict, Verdict::violated)
      << "nothing excuses the load at 1001 ms";
}

TEST_F(CacheAsideExpiry, NoExpiryIsInconclusiveOrDoesNotApply) {
  evidence.hot_loads = {{}, {}};
  EXPECT_EQ(judge("one-load-per-expiry")->verdict, Verdict::inconclusive);
  evidence.expires = false;
  EXPECT_FALSE(judge("one-load-per-expiry").has_value());
}

TEST(CacheAsideEntry, SurvivesTheWayToBytesAndBack) {
  const Product product{ProductId{7}, "kettle", Cents{2495}, 12};
  const auto entry = decode(encode({product, 99}), ProductId{7});
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->product, product);
  EXPECT_EQ(entry->fresh_until_ms, 99);
}

TEST(CacheAsideEntry, OfAnotherProductIsRefused) {
  EXPECT_FALSE(decode(encode({Product{ProductId{8}, "kettle", Cents{1}, 1}}), ProductId{7}));
}

TEST(CacheAsideEntry, EveryChangedByteIsNoticed) {
  const std::string intact = encode({Product{ProductId{7}, "kettle", Cents{2495}, 12}});
  for (std::size_t at = 0; at < intact.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = intact;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const auto entry = decode(damaged, ProductId{7});
      // A hexadecimal digit in the other case says the same number.
      if (entry) {
        EXPECT_EQ(entry->product, decode(intact, ProductId{7})->product) << damaged;
      }
    }
    EXPECT_FALSE(decode(intact.substr(0, at), ProductId{7}));
  }
}

TEST(CacheAsideEntry, AnyBytesAreSafeToDecode) {
  lab::Random random(1);
  for (int round = 0; round < 100'000; ++round) {
    std::string bytes(random.below(60), '\0');
    for (char& byte : bytes) byte = "0123456789|-abcdef\xff"[random.below(19)];
    (void)decode_unchecked(bytes);
    EXPECT_FALSE(decode(bytes, ProductId{7}));
  }
}

}  // namespace
}  // namespace cache_aside
