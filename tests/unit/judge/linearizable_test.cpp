#include "judge/linearizable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulator.h"

namespace lab::judge {
namespace {

using Kind = KeyOperation::Kind;
using History = std::vector<KeyOperation>;
using testing::ElementsAre;
using testing::HasSubstr;

KeyOperation operation(Kind kind, std::int64_t invoked, std::int64_t returned,
                       KeyOperation::Value value = {}, const char* key = "") {
  KeyOperation made;
  made.process = invoked;
  made.invoked = invoked;
  made.returned = returned;
  made.kind = kind;
  made.key = key;
  made.value = std::move(value);
  return made;
}

KeyOperation read(std::int64_t from, std::int64_t to, KeyOperation::Value value) {
  return operation(Kind::read, from, to, std::move(value));
}
KeyOperation write(std::int64_t from, std::int64_t to, const char* value) {
  return operation(Kind::write, from, to, value);
}
KeyOperation remove(std::int64_t from, std::int64_t to) {
  return operation(Kind::remove, from, to);
}
KeyOperation cas(std::int64_t from, std::int64_t to, KeyOperation::Value expected,
                 const char* value, bool swapped = true) {
  KeyOperation made = operation(Kind::cas, from, to, value);
  made.expected = std::move(expected);
  made.swapped = swapped;
  return made;
}
KeyOperation with(Outcome outcome, KeyOperation made) {
  made.outcome = outcome;
  if (outcome == Outcome::info) made.returned.reset();
  return made;
}
KeyOperation on(const char* key, KeyOperation made) {
  made.key = key;
  return made;
}

Verdict verdict(const History& history) {
  return check_linearizable(history).verdict;
}

TEST(Linearizable, OneAfterTheOther) {
  EXPECT_EQ(
      verdict({read(1, 2, {}), write(3, 4, "a"), read(5, 6, "a"), remove(7, 8), read(9, 10, {}),
               cas(11, 12, {}, "b"), cas(13, 14, "a", "c", false), read(15, 16, "b")}),
      Verdict::holds);
}

TEST(Linearizable, ConcurrentOnesMayBeSeenInEitherOrder) {
  EXPECT_EQ(verdict({write(1, 10, "a"), write(1, 10, "b"), read(11, 12, "a")}), Verdict::holds);
  EXPECT_EQ(verdict({write(1, 10, "a"), write(1, 10, "b"), read(11, 12, "b")}), Verdict::holds);
  EXPECT_EQ(verdict({write(1, 10, "a"), read(2, 3, {}), read(4, 5, "a")}), Verdict::holds);
}

TEST(Linearizable, ButAllMustSeeTheSameOne) {
  EXPECT_EQ(verdict({write(1, 10, "a"), read(2, 3, "a"), read(4, 5, {})}), Verdict::violated);
  EXPECT_EQ(verdict({write(1, 10, "a"), write(1, 10, "b"), read(11, 12, "a"), read(13, 14, "b")}),
            Verdict::violated);
}

TEST(Linearizable, TouchingInTimeIsConcurrent) {
  EXPECT_EQ(verdict({write(1, 3, "a"), read(3, 4, {})}), Verdict::holds);
  EXPECT_EQ(verdict({write(1, 3, "a"), read(4, 5, {})}), Verdict::violated);
}

TEST(Linearizable, OnlyOneCasWins) {
  EXPECT_EQ(verdict({write(1, 2, "a"), cas(3, 9, "a", "b"), cas(3, 9, "a", "c")}),
            Verdict::violated);
  EXPECT_EQ(verdict({write(1, 2, "a"), cas(3, 9, "a", "b"), cas(3, 9, "a", "c", false)}),
            Verdict::holds);
}

TEST(Linearizable, WhatFailedDidNotHappen) {
  EXPECT_EQ(verdict({with(Outcome::fail, write(1, 2, "a")), read(3, 4, {})}), Verdict::holds);
  EXPECT_EQ(verdict({with(Outcome::fail, write(1, 2, "a")), read(3, 4, "a")}), Verdict::violated);
}

TEST(Linearizable, InfoMayHappenLateOrNever) {
  const KeyOperation unknown = with(Outcome::info, write(1, 2, "a"));
  EXPECT_EQ(verdict({unknown, read(3, 4, {})}), Verdict::holds);
  EXPECT_EQ(verdict({unknown, read(3, 4, {}), read(5, 6, "a")}), Verdict::holds);
  EXPECT_EQ(verdict({unknown, read(3, 4, "a"), read(5, 6, {})}), Verdict::violated);
  EXPECT_EQ(verdict({unknown, write(3, 4, "b"), read(5, 6, "a"), read(7, 8, "b")}),
            Verdict::violated)
      << "it happens once";
  EXPECT_EQ(verdict({read(1, 2, "a"), with(Outcome::info, write(3, 4, "a"))}), Verdict::violated)
      << "not before it was invoked";
}

TEST(Linearizable, AnInfoCasMayHaveFoundAnotherValue) {
  const KeyOperation unknown = with(Outcome::info, cas(1, 2, "a", "b"));
  EXPECT_EQ(verdict({unknown, read(3, 4, {})}), Verdict::holds);
  EXPECT_EQ(verdict({write(0, 1, "a"), unknown, read(3, 4, "a"), read(5, 6, "b")}), Verdict::holds);
  EXPECT_EQ(verdict({write(0, 1, "c"), unknown, read(3, 4, "b")}), Verdict::violated);
}

TEST(Linearizable, KeysAreJudgedApart) {
  EXPECT_EQ(verdict({on("x", write(1, 2, "a")), on("y", read(3, 4, {})), on("x", read(5, 6, "a"))}),
            Verdict::holds);
  const Judgement judgement =
      check_linearizable(History{on("x", write(1, 2, "a")), on("y", read(3, 4, "a")),
                                 on("x", read(5, 6, {})), on("z", read(7, 8, {}))});
  EXPECT_EQ(judgement.verdict, Verdict::violated);
  EXPECT_EQ(judgement.findings.at(0).found, 2U);
}

TEST(Linearizable, NothingOkIsUnknown) {
  EXPECT_EQ(verdict({}), Verdict::unknown);
  EXPECT_EQ(verdict({with(Outcome::info, write(1, 2, "a"))}), Verdict::unknown);
}

/// Many at a time, and values that repeat: the search has much to try.
History hard() {
  History history;
  for (std::int64_t i = 0; i < 200; ++i) {
    history.push_back(write(1 + i % 3, 1'000, i % 2 ? "a" : "b"));
    history.push_back(read(2 + i % 5, 1'001, i % 2 ? "a" : "b"));
  }
  history.push_back(read(2'000, 2'001, "c"));
  return history;
}

TEST(Linearizable, OutOfTimeIsUnknown) {
  const Judgement judgement = check_linearizable(hard(), {.timeout = 0s});
  EXPECT_EQ(judgement.verdict, Verdict::unknown);
  EXPECT_THAT(judgement.why, HasSubstr("time was up"));
}

TEST(Linearizable, OutOfMemoryIsUnknown) {
  const Judgement judgement = check_linearizable(hard(), {.memory_bytes = 100'000});
  EXPECT_EQ(judgement.verdict, Verdict::unknown);
  EXPECT_THAT(judgement.why, HasSubstr("memory was used up"));
}

TEST(Linearizable, TheWitnessIsSmallAndInOrder) {
  History history;
  for (std::int64_t i = 0; i < 500; ++i)
    history.push_back(write(10 * i, 10 * i + 5, std::to_string(i).c_str()));
  history.push_back(read(6'000, 6'001, "499"));
  history.push_back(read(6'002, 6'003, "250"));
  history.push_back(read(6'004, 6'005, "499"));
  const Judgement judgement = check_linearizable(history);
  ASSERT_EQ(judgement.verdict, Verdict::violated);
  const Finding& finding = judgement.findings.at(0);
  EXPECT_THAT(finding.operations, testing::SizeIs(3)) << finding.witness;
  EXPECT_EQ(finding.in_order, 2U);
  EXPECT_THAT(finding.witness, HasSubstr("this has no place:\n      operation 502 (process 6002, "
                                         "6002 to 6003): read 250"));
}

TEST(Linearizable, ASmallWitnessIsAViolationInItself) {
  for (std::uint64_t seed = 1; seed <= rounds(50U); ++seed) {
    History history = simulated_registers({.seed = seed, .operations = 60});
    for (auto& it : history) {
      if (it.kind == Kind::read && it.outcome == Outcome::ok && it.value) {
        it.value = "1";  // most of them are stale then
      }
    }
    const Judgement judgement = check_linearizable(history);
    if (judgement.verdict != Verdict::violated) continue;
    History small;
    const Finding& finding = judgement.findings.at(0);
    std::int64_t end = *history[finding.operations[finding.in_order]].returned;
    for (const std::size_t place : finding.operations) {
      small.push_back(history[place]);
      if (small.back().returned > end) small.back().outcome = Outcome::info;
    }
    EXPECT_EQ(verdict(small), Verdict::violated) << seed << "\n" << finding.witness;
  }
}

TEST(Linearizable, SimulatedHistoriesHold) {
  for (std::uint64_t seed = 1; seed <= rounds(300U); ++seed) {
    EXPECT_EQ(verdict(simulated_registers({.seed = seed})), Verdict::holds) << seed;
    EXPECT_EQ(verdict(simulated_registers({.seed = seed, .keys = 3})), Verdict::holds) << seed;
  }
}

TEST(Linearizable, ALongHistoryOfOneRegisterIsJudged) {
  EXPECT_EQ(verdict(simulated_registers({.seed = 5, .operations = 30'000, .processes = 3})),
            Verdict::holds);
}

}  // namespace
}  // namespace lab::judge
