// Each anomaly by hand: at which levels it is forbidden, and that it is told with its witness.
#include "judge/list_append.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulator.h"

namespace lab::judge {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

ListOperation append(const char* key, Element element) {
  return ListOperation::append(key, element);
}
ListOperation read(const char* key, List list) {
  return ListOperation::read(key, std::move(list));
}

/// All at the same time, each in a process of its own, unless a test says otherwise.
Transaction ok(std::vector<ListOperation> operations) {
  static std::int64_t process = 0;
  return {++process, 10, 20, Outcome::ok, std::move(operations)};
}
Transaction with(Outcome outcome, Transaction transaction) {
  transaction.outcome = outcome;
  return transaction;
}
Transaction at(std::int64_t invoked, std::int64_t returned, Transaction transaction) {
  transaction.invoked = invoked;
  transaction.returned = returned;
  return transaction;
}

using History = std::vector<Transaction>;

Judgement judged(const History& history, Level level = Level::serializable) {
  const auto judgement = check_list_append(history, {.level = level});
  if (!judgement) throw Failure(judgement.error());
  return *judgement;
}

std::vector<std::string> anomalies(const Judgement& judgement) {
  std::vector<std::string> names;
  for (const auto& finding : judgement.findings) names.push_back(finding.anomaly);
  return names;
}

const Finding& finding(const Judgement& judgement, std::string_view anomaly) {
  for (const auto& candidate : judgement.findings) {
    if (candidate.anomaly == anomaly) return candidate;
  }
  throw std::runtime_error("no " + std::string(anomaly));
}

std::vector<Level> levels_that_reject(const History& history) {
  std::vector<Level> rejecting;
  for (const Level level : all_levels()) {
    if (judged(history, level).verdict == Verdict::violated) rejecting.push_back(level);
  }
  return rejecting;
}

constexpr auto RU = Level::read_uncommitted;
constexpr auto RC = Level::read_committed;
constexpr auto SI = Level::snapshot_isolation;
constexpr auto RR = Level::repeatable_read;
constexpr auto SER = Level::serializable;
constexpr auto STRICT = Level::strict_serializable;

TEST(ListAppend, ASerialHistoryHoldsEverywhere) {
  const History history{at(1, 2, ok({append("x", 1)})),
                        at(3, 4, ok({read("x", {1}), append("x", 2), read("x", {1, 2})})),
                        at(5, 6, ok({read("x", {1, 2}), read("y", {})}))};
  EXPECT_THAT(levels_that_reject(history), IsEmpty());
  EXPECT_THAT(anomalies(judged(history, STRICT)), IsEmpty());
  EXPECT_EQ(judged(history).examined, 3U);
}

TEST(ListAppend, NothingCommittedIsUnknown) {
  EXPECT_EQ(judged({}).verdict, Verdict::unknown);
  EXPECT_EQ(judged({with(Outcome::fail, ok({append("x", 1)}))}).verdict, Verdict::unknown);
  EXPECT_EQ(judged({with(Outcome::info, ok({append("x", 1)}))}).verdict, Verdict::unknown);
}

TEST(ListAppend, NoTimeIsUnknownButWhatWasFoundCounts) {
  const History good{ok({append("x", 1)})};
  const auto judgement = check_list_append(good, {.timeout = 0s});
  EXPECT_EQ(judgement->verdict, Verdict::unknown);
  EXPECT_THAT(judgement->why, HasSubstr("time was up"));
  const History bad{ok({read("x", {7})})};
  EXPECT_EQ(check_list_append(bad, {.timeout = 0s})->verdict, Verdict::violated);
}

TEST(ListAppend, AnElementMayBeAppendedOnlyOnce) {
  const auto judgement = check_list_append(History{ok({append("x", 1)}), ok({append("x", 1)})});
  ASSERT_FALSE(judgement);
  EXPECT_EQ(judgement.error().code, ErrorCode::invalid);
  EXPECT_THAT(judgement.error().message, HasSubstr("1 is appended to x by T1 and again by T2"));
  EXPECT_TRUE(check_list_append(History{ok({append("x", 1)}), ok({append("y", 1)})}));
}

TEST(ListAppend, G0TwoThatOverwroteEachOther) {
  const History history{ok({append("x", 1), append("y", 1)}), ok({append("x", 2), append("y", 2)}),
                        ok({read("x", {1, 2}), read("y", {2, 1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(RU, RC, SI, RR, SER, STRICT));
  EXPECT_THAT(finding(judged(history, RU), "G0").witness,
              HasSubstr("T2 appended 2 to x behind 1, which T1 appended (ww)"));
}

TEST(ListAppend, G1aAReadOfWhatFailed) {
  const History history{with(Outcome::fail, ok({append("x", 1)})), ok({read("x", {1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(RC, SI, RR, SER, STRICT));
  EXPECT_THAT(finding(judged(history), "G1a").witness,
              HasSubstr("T2 read 1 in x, which T1 appended, and T1 failed"));
}

TEST(ListAppend, G1bAReadOfAStateBetween) {
  const History history{ok({append("x", 1), append("x", 2)}), ok({read("x", {1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(RC, SI, RR, SER, STRICT));
  EXPECT_THAT(anomalies(judged(history)), Contains("G1b"));
}

TEST(ListAppend, G1bNotWithinTheTransactionItself) {
  EXPECT_THAT(levels_that_reject({ok({append("x", 1), read("x", {1}), append("x", 2)}),
                                  at(30, 40, ok({read("x", {1, 2})}))}),
              IsEmpty());
}

TEST(ListAppend, G1cTwoThatSawEachOther) {
  const History history{ok({append("x", 1), read("y", {1})}), ok({append("y", 1), read("x", {1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(RC, SI, RR, SER, STRICT));
  EXPECT_EQ(finding(judged(history), "G1c").precedences.size(), 2U);
}

TEST(ListAppend, DirtyUpdateBuiltOnWhatFailed) {
  const History history{with(Outcome::fail, ok({append("x", 1)})), ok({append("x", 2)}),
                        ok({read("x", {1, 2})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(RC, SI, RR, SER, STRICT));
  EXPECT_THAT(anomalies(judged(history)), Contains("dirty-update"));
}

TEST(ListAppend, LostUpdateIsSeenEvenWhenNobodyReadsIt) {
  const History history{ok({append("x", 1)}), ok({read("x", {1}), append("x", 2)}),
                        ok({read("x", {1}), append("x", 3)})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(SI, RR, SER, STRICT));
  EXPECT_THAT(anomalies(judged(history)), Contains("lost-update"));
}

TEST(ListAppend, GSingleAReadThatTore) {
  const History history{ok({append("x", 1), append("y", 1)}), ok({read("x", {1}), read("y", {})}),
                        ok({read("y", {1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(SI, RR, SER, STRICT));
  EXPECT_THAT(anomalies(judged(history)), ElementsAre("G-single"));
}

TEST(ListAppend, GNonadjacentTwoReadersDisagreeAboutTheOrder) {
  const History history{ok({append("x", 1)}), ok({append("y", 1)}),
                        ok({read("x", {1}), read("y", {})}), ok({read("x", {}), read("y", {1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(SI, RR, SER, STRICT));
  EXPECT_THAT(anomalies(judged(history)), ElementsAre("G-nonadjacent"));
}

TEST(ListAppend, G2ItemWriteSkew) {
  const History history{ok({read("x", {}), append("y", 1)}), ok({read("y", {}), append("x", 1)}),
                        ok({read("x", {1}), read("y", {1})})};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(RR, SER, STRICT));
  const Judgement allowed = judged(history, SI);
  EXPECT_EQ(allowed.verdict, Verdict::holds);
  EXPECT_FALSE(finding(allowed, "G2-item").violates);
  EXPECT_THAT(finding(allowed, "G2-item").witness,
              HasSubstr("T2 before T1: T2 read y empty, without 1, which T1 appended (rw)"));
}

TEST(ListAppend, G2ItemIsSeenWhenNobodyReadsTheAppends) {
  EXPECT_THAT(levels_that_reject(
                  {ok({read("x", {}), append("y", 1)}), ok({read("y", {}), append("x", 1)})}),
              ElementsAre(RR, SER, STRICT));
}

TEST(ListAppend, InternalItDoesNotSeeWhatItDid) {
  for (const auto& operations : std::vector<std::vector<ListOperation>>{
           {append("x", 2), read("x", {1})},                  // its own append is missing
           {append("x", 2), read("x", {2, 1})},               // and here not at the end
           {read("x", {1}), append("x", 2), read("x", {2})},  // what it saw is gone
           {read("x", {}), read("x", {1})},                   // the same read, another answer
           {read("x", {1, 2}), append("x", 2)},               // what it is going to do
       }) {
    const History history{ok({append("x", 1)}), ok(operations)};
    EXPECT_THAT(anomalies(judged(history)), Contains("internal")) << text_of(history[1]);
    EXPECT_THAT(levels_that_reject(history), Not(Contains(RU))) << text_of(history[1]);
  }
}

TEST(ListAppend, GarbageDuplicatesAndBrokenOrderAreTold) {
  EXPECT_THAT(levels_that_reject({ok({read("x", {9})})}), ElementsAre(RU, RC, SI, RR, SER, STRICT));
  EXPECT_THAT(levels_that_reject({ok({append("x", 1)}), ok({read("x", {1, 1})})}),
              ElementsAre(RU, RC, SI, RR, SER, STRICT));
  const History order{ok({append("x", 1)}), ok({append("x", 2)}), ok({read("x", {1, 2})}),
                      ok({read("x", {2})})};
  EXPECT_THAT(levels_that_reject(order), ElementsAre(RC, SI, RR, SER, STRICT));
  EXPECT_THAT(anomalies(judged(order)), Contains("incompatible-order"));
  const History turned{ok({append("x", 1), append("x", 2)}), ok({read("x", {2, 1})})};
  EXPECT_THAT(anomalies(judged(turned)), Contains("incompatible-order"));
}

TEST(ListAppend, StaleReadsBreakOnlyWhatPromisesRealTime) {
  const History history{at(1, 2, ok({append("x", 1)})), at(3, 4, ok({read("x", {})})),
                        at(5, 6, ok({read("x", {1})}))};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(STRICT));
  const Judgement judgement = judged(history, STRICT);
  EXPECT_THAT(finding(judgement, "G-single-realtime").witness,
              HasSubstr("T1 had returned at 2, T2 was invoked at 3"));
  EXPECT_THAT(anomalies(judgement), Not(Contains("lost-append")));
}

TEST(ListAppend, AnAcknowledgedAppendThatNobodySeesIsLost) {
  const History history{at(1, 2, ok({append("x", 1)})), at(3, 4, ok({read("x", {})}))};
  EXPECT_THAT(levels_that_reject(history), ElementsAre(STRICT));
  EXPECT_THAT(anomalies(judged(history, STRICT)), Contains("lost-append"));
}

TEST(ListAppend, TouchingInTimeIsConcurrent) {
  EXPECT_THAT(levels_that_reject({at(1, 3, ok({append("x", 1)})), at(3, 4, ok({read("x", {})}))}),
              IsEmpty());
}

TEST(ListAppend, ProcessOrderCountsWhereItIsAskedFor) {
  Transaction writer = at(1, 3, ok({append("x", 1)})), reader = at(3, 4, ok({read("x", {})}));
  reader.process = writer.process;
  const History history{writer, reader, at(8, 9, ok({read("x", {1})}))};
  EXPECT_EQ(judged(history).verdict, Verdict::holds);
  const auto ordered = check_list_append(history, {.level = SI, .process_order = true});
  EXPECT_EQ(ordered->verdict, Verdict::violated);
  EXPECT_THAT(anomalies(*ordered), ElementsAre("G-single-process"));
}

TEST(ListAppend, InfoCountsOnceSomebodySawIt) {
  const Transaction unknown = with(Outcome::info, ok({append("x", 1), append("y", 1)}));
  EXPECT_THAT(levels_that_reject({unknown, ok({read("x", {}), read("y", {})})}), IsEmpty());
  EXPECT_THAT(levels_that_reject({unknown, ok({read("x", {1}), read("y", {})})}),
              ElementsAre(SI, RR, SER, STRICT));
}

TEST(ListAppend, InfoThatInfoSawCountsToo) {
  Transaction first = with(Outcome::info, ok({append("x", 1)}));
  Transaction second = with(Outcome::info, ok({read("x", {1}), append("y", 1)}));
  EXPECT_EQ(judged({first, second, ok({read("y", {1})})}).examined, 3U);
}

TEST(ListAppend, InfoMayTakeEffectLate) {
  Transaction late = with(Outcome::info, ok({append("x", 1)}));
  late.invoked = 1;
  late.returned = 2;  // when its client gave up
  EXPECT_THAT(
      levels_that_reject({late, at(3, 4, ok({read("x", {})})), at(5, 6, ok({read("x", {1})}))}),
      IsEmpty());
}

TEST(ListAppend, ALongCycleIsToldInFull) {
  History history;
  constexpr Element kLength = 300;
  for (Element i = 0; i < kLength; ++i) {
    const std::string mine = std::to_string(i), next = std::to_string((i + 1) % kLength);
    history.push_back(ok({append(mine.c_str(), 1), read(next.c_str(), {1})}));
  }
  EXPECT_EQ(finding(judged(history), "G1c").precedences.size(), std::size_t{kLength});
}

TEST(ListAppend, LevelsHaveNames) {
  for (const Level level : all_levels()) EXPECT_EQ(level_named(name(level)).value(), level);
  EXPECT_THAT(level_named("serialisable").error().message, HasSubstr("did you mean serializable?"));
  EXPECT_THAT(level_named("zzz").error().message, HasSubstr("snapshot-isolation"));
}

TEST(ListAppend, SimulatedHistoriesHoldAtTheirLevel) {
  bool skewed = false, torn = false;
  for (std::uint64_t seed = 1; seed <= rounds(300U); ++seed) {
    const auto strict = simulated_lists({.seed = seed});
    EXPECT_THAT(levels_that_reject(strict), IsEmpty()) << seed;
    const auto snapshot = simulated_lists({.seed = seed, .store = Store::snapshot});
    EXPECT_EQ(judged(snapshot, SI).verdict, Verdict::holds) << seed;
    skewed |= judged(snapshot, SER).verdict == Verdict::violated;
    const auto committed = simulated_lists({.seed = seed, .store = Store::read_committed});
    EXPECT_EQ(judged(committed, RC).verdict, Verdict::holds) << seed;
    torn |= judged(committed, SI).verdict == Verdict::violated;
  }
  EXPECT_TRUE(skewed) << "no snapshot history had write skew: the simulator shows nothing";
  EXPECT_TRUE(torn) << "no read-committed history was torn: the simulator shows nothing";
}

TEST(ListAppend, AHundredThousandTransactionsAreJudged) {
  const auto history =
      simulated_lists({.seed = 3, .transactions = 100'000, .processes = 20, .keys = 3'000});
  const Judgement judgement = judged(history, STRICT);
  EXPECT_EQ(judgement.verdict, Verdict::holds);
  EXPECT_GT(judgement.examined, 80'000U);
}

TEST(ListAppend, AHundredThousandInOneKnotAreJudged) {
  const auto history = simulated_lists({.seed = 3,
                                        .store = Store::read_committed,
                                        .transactions = 100'000,
                                        .processes = 300,
                                        .keys = 1'500});
  EXPECT_EQ(judged(history, SER).verdict, Verdict::violated);
  EXPECT_EQ(judged(history, RC).verdict, Verdict::holds);
}

}  // namespace
}  // namespace lab::judge
