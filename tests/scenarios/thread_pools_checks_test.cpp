// The checks of thread_pools on hand-written evidence that must hold, must break, or tells nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checks.h"
#include "core_wait.h"
#include "workload.h"

namespace thread_pools {
namespace {

using lab::harness::CheckResult;
using lab::harness::Verdict;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::int64_t kMs = 1'000'000;

/// Accepted at `at`, ran for a while from then on.
TaskTrace ran(std::int64_t at) {
  return {.invoked = at,
          .returned = at + 1,
          .began = at + 2,
          .ended = at + 10,
          .runs = 1,
          .accepted = true};
}

TaskTrace accepted_only(std::int64_t at) {
  return {.invoked = at, .returned = at + 1, .accepted = true};
}

TaskTrace rejected(std::int64_t at) {
  return {.invoked = at, .returned = at + 1};
}

TaskTrace given_back(std::int64_t at) {
  TaskTrace task = accepted_only(at);
  task.given_back = true;
  return task;
}

ScriptEvidence played(const std::string& script, std::vector<TaskTrace> tasks) {
  ScriptEvidence evidence;
  evidence.script = script;
  evidence.size = {.workers = 1, .queue_limit = 2};
  evidence.tasks = std::move(tasks);
  evidence.how = Shutdown::drain;
  evidence.shutdown_began = 1'000;
  evidence.shutdown_ended = 2'000;
  return evidence;
}

/// A variant that did everything right.
Evidence good() {
  Evidence evidence{.variant = "pool", .fault = kBurst, .scripts = {}};
  for (const auto& script : scripts())
    evidence.scripts.push_back(played(script, {ran(10), ran(20)}));
  for (auto& script : evidence.scripts) {
    if (script.script == kNested) script.nested_done = true;
    if (script.script == kExceptions) script.futures_kept = 9;
    if (script.script == kCloseGiveBack) {
      script.how = Shutdown::give_back;
      script.tasks.push_back(given_back(30));
    }
    if (script.script != kLogins) continue;
    script.one_hash = 5ms;
    script.hiccup = 1ms;
    for (std::size_t i = 0; i < 100; ++i)
      script.bystanders.push_back({static_cast<std::int64_t>(i) * kMs, 200'000, 0});
  }
  return evidence;
}

ScriptEvidence& script(Evidence& evidence, const std::string& name) {
  for (auto& each : evidence.scripts) {
    if (each.script == name) return each;
  }
  throw std::logic_error("no script " + name);
}

CheckResult judge(const char* check, const Evidence& evidence) {
  for (const auto& each : checks()) {
    if (each.name == check) return each.judge(evidence).value_or(CheckResult{});
  }
  throw std::logic_error("no check");
}

Verdict verdict(const char* check, const Evidence& evidence) {
  return judge(check, evidence).verdict;
}

Stuck stuck(std::size_t waiting, std::size_t running) {
  return {.since = 10ms,
          .at = 500ms,
          .waiting = waiting,
          .running = running,
          .doing = "shutdown(drain)",
          .waits = "work",
          .freed_by_a_bell = 12us};
}

TEST(ThreadPoolChecks, AGoodVariantHoldsEveryCheck) {
  for (const auto& check : checks()) {
    const auto result = check.judge(good());
    ASSERT_TRUE(result) << check.name;
    EXPECT_EQ(result->verdict, Verdict::holds) << check.name << ": " << result->witness;
    EXPECT_GT(result->examined, 0U) << check.name;
  }
}

TEST(ThreadPoolChecks, WithoutEvidenceNothingIsGreen) {
  for (const auto& check : checks())
    EXPECT_EQ(verdict(check.name.c_str(), Evidence{}), Verdict::inconclusive) << check.name;
}

// ---- accepted-runs-once ----------------------------------------------------------------------

void expect_wrong_books(TaskTrace task, const char* why) {
  Evidence evidence = good();
  script(evidence, kCrowd).tasks.push_back(task);
  const auto result = judge(kRunsOnce, evidence);
  EXPECT_EQ(result.verdict, Verdict::violated) << why;
  EXPECT_THAT(result.witness, HasSubstr(why));
}

TEST(RunsOnce, EachWayToMakeWrongBooksIsSeen) {
  expect_wrong_books(accepted_only(30), "neither ran nor came back");
  expect_wrong_books(given_back(30), "was to drain");

  TaskTrace twice = ran(30);
  twice.runs = 2;
  expect_wrong_books(twice, "ran 2 times");

  TaskTrace both = ran(30);
  both.given_back = true;
  expect_wrong_books(both, "was given back as not begun");

  TaskTrace unwanted = ran(30);
  unwanted.accepted = false;
  expect_wrong_books(unwanted, "was rejected");

  TaskTrace unfinished = ran(30);
  unfinished.ended = kNever;
  expect_wrong_books(unfinished, "has not ended");

  TaskTrace late = ran(30);
  late.ended = 3'000;
  expect_wrong_books(late, "after shutdown() had returned");
}

TEST(RunsOnce, ARejectedTaskIsInNeitherColumn) {
  Evidence evidence = good();
  script(evidence, kCrowd).tasks.push_back(rejected(1'500));
  EXPECT_EQ(verdict(kRunsOnce, evidence), Verdict::holds);
}

TEST(RunsOnce, AProcessThatDiedTookItsTasksAlong) {
  Evidence evidence = good();
  script(evidence, kLogins).death = "was ended by signal 6";
  EXPECT_EQ(verdict(kRunsOnce, evidence), Verdict::violated);
}

// ---- no-lost-wake-up, nested-wait-ends -------------------------------------------------------

TEST(NoLostWakeUp, ATaskThatWaitsWhileNobodyWorksIsAccused) {
  Evidence evidence = good();
  script(evidence, kWakeUps).stuck = stuck(1, 0);
  const auto result = judge(kNoLostWakeUp, evidence);
  EXPECT_EQ(result.verdict, Verdict::violated);
  EXPECT_THAT(result.witness, HasSubstr("0 tasks run, 1 wait"));
  EXPECT_THAT(result.witness, HasSubstr("12 us later a waiting one began"));
}

TEST(NoLostWakeUp, AShutdownThatNobodyHearsIsOneToo) {
  Evidence evidence = good();
  script(evidence, kCloseDrain).stuck = stuck(0, 0);
  EXPECT_EQ(verdict(kNoLostWakeUp, evidence), Verdict::violated);
}

TEST(NoLostWakeUp, AHangInsideATaskProvesNothing) {
  Evidence evidence = good();
  script(evidence, kLogins).stuck = stuck(3, 1);
  EXPECT_EQ(verdict(kNoLostWakeUp, evidence), Verdict::inconclusive);
}

TEST(NoLostWakeUp, OneOfTwoWorkersThatSleepsBesideAWaitingTaskIsAccused) {
  Evidence evidence = good();
  script(evidence, kBehind).size.workers = 2;
  script(evidence, kBehind).stuck = stuck(3, 1);
  EXPECT_EQ(verdict(kNoLostWakeUp, evidence), Verdict::violated);
  script(evidence, kBehind).stuck = stuck(0, 1);
  EXPECT_EQ(verdict(kNoLostWakeUp, evidence), Verdict::inconclusive);
}

TEST(NestedWaitEnds, ADeadlockIsAccusedOfNothingElse) {
  Evidence evidence = good();
  script(evidence, kNested).stuck = stuck(0, 1);
  script(evidence, kNested).nested_done = false;
  EXPECT_EQ(verdict(kNestedWaitEnds, evidence), Verdict::violated);
  EXPECT_EQ(verdict(kNoLostWakeUp, evidence), Verdict::holds);
}

TEST(NestedWaitEnds, AWaitThatReturnsTooEarlyIsAccused) {
  Evidence evidence = good();
  script(evidence, kNested).nested_done = false;
  EXPECT_EQ(verdict(kNestedWaitEnds, evidence), Verdict::violated);
}

// ---- queue-bounded ---------------------------------------------------------------------------

/// Accepted one after the other, and none ends before 900.
std::vector<TaskTrace> crowd(std::size_t tasks) {
  std::vector<TaskTrace> all;
  for (std::size_t i = 0; i < tasks; ++i) {
    TaskTrace task = ran(static_cast<std::int64_t>(i) * 10);
    task.began = 900 + static_cast<std::int64_t>(i);
    task.ended = task.began + 1;
    all.push_back(task);
  }
  return all;
}

TEST(Bounded, WorkersAndQueueMayBeFullAndNoFuller) {
  Evidence evidence = good();
  script(evidence, kCrowd).tasks = crowd(3);
  EXPECT_EQ(verdict(kBounded, evidence), Verdict::holds);
  script(evidence, kCrowd).tasks = crowd(4);
  const auto result = judge(kBounded, evidence);
  EXPECT_EQ(result.verdict, Verdict::violated);
  EXPECT_THAT(result.witness, HasSubstr("4 tasks were accepted and unfinished at once"));
}

TEST(Bounded, OneTaskMoreThanWorkersAtOnceIsAccused) {
  Evidence evidence = good();
  auto& tasks = script(evidence, kCrowd).tasks;
  tasks = crowd(2);
  tasks[0].ended = tasks[1].began + 1;
  const auto result = judge(kBounded, evidence);
  EXPECT_EQ(result.verdict, Verdict::violated);
  EXPECT_THAT(result.witness, HasSubstr("2 tasks ran at once, on 1 workers"));
}

TEST(Bounded, OnlyAFullPoolTurnsAway) {
  Evidence evidence = good();
  auto& tasks = script(evidence, kCrowd).tasks;
  tasks = crowd(2);
  tasks.push_back(rejected(500));
  EXPECT_EQ(verdict(kBounded, evidence), Verdict::holds);
  tasks = crowd(1);
  tasks.push_back(rejected(500));
  EXPECT_EQ(verdict(kBounded, evidence), Verdict::violated);
}

TEST(Bounded, AClosingPoolMayTurnAwayAtAnyTime) {
  Evidence evidence = good();
  script(evidence, kCrowd).tasks.push_back(rejected(1'000));
  EXPECT_EQ(verdict(kBounded, evidence), Verdict::holds);
}

TEST(Bounded, ATaskThatEndsBeforeItsSubmitReturnsIsNotCountedTwice) {
  Evidence evidence = good();
  auto& tasks = script(evidence, kCrowd).tasks;
  tasks.clear();
  for (std::int64_t i = 0; i < 5; ++i) {
    tasks.push_back(ran(30 + 10 * i));
    tasks.back().returned = 100;
  }
  EXPECT_EQ(verdict(kBounded, evidence), Verdict::holds);
}

// ---- exception-reaches-its-future ------------------------------------------------------------

TEST(ExceptionArrives, AWrongFutureIsAccused) {
  Evidence evidence = good();
  script(evidence, kExceptions).futures_wrong = 1;
  EXPECT_EQ(verdict(kExceptionArrives, evidence), Verdict::violated);
}

TEST(ExceptionArrives, AnOwnerWhoIsNotToldIsSeen) {
  Evidence evidence = good();
  TaskTrace thrown = ran(30);
  thrown.threw = true;
  script(evidence, kLogins).tasks.push_back(thrown);
  EXPECT_EQ(verdict(kExceptionArrives, evidence), Verdict::violated);
  script(evidence, kLogins).tasks.back().failures = 1;
  EXPECT_EQ(verdict(kExceptionArrives, evidence), Verdict::holds);
}

TEST(ExceptionArrives, AProcessThatAnExceptionEndedIsAccused) {
  Evidence evidence = good();
  script(evidence, kExceptions).death = "was ended by signal 6";
  EXPECT_EQ(verdict(kExceptionArrives, evidence), Verdict::violated);
}

// ---- nothing-after-shutdown ------------------------------------------------------------------

TEST(NothingAfter, WhatEndsLateBeginsLateOrNeverEndsIsSeen) {
  for (const std::int64_t ended : {std::int64_t{2'001}, kNever}) {
    Evidence evidence = good();
    TaskTrace late = ran(30);
    late.ended = ended;
    script(evidence, kCloseDrain).tasks.push_back(late);
    EXPECT_EQ(verdict(kNothingAfter, evidence), Verdict::violated) << ended;
  }
}

TEST(NothingAfter, AShutdownThatDidNotReturnProvesNothing) {
  Evidence evidence = good();
  script(evidence, kCloseGiveBack).shutdown_ended = kNever;
  EXPECT_EQ(verdict(kNothingAfter, evidence), Verdict::inconclusive);
}

// ---- bystander-not-frozen --------------------------------------------------------------------

TEST(NotFrozen, OneHashBesideTheTimeWithoutACoreIsTheBound) {
  Evidence evidence = good();
  auto& logins = script(evidence, kLogins);
  for (std::size_t i = 0; i < 2; ++i) logins.bystanders[i].latency = 5 * kMs;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::holds);
  for (std::size_t i = 0; i < 2; ++i) logins.bystanders[i].latency = 5 * kMs + 1;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::violated);
  for (std::size_t i = 0; i < 2; ++i) logins.bystanders[i].no_core = 1;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::holds);
}

TEST(NotFrozen, WhatOtherRequestsLostExcusesNone) {
  Evidence evidence = good();
  auto& logins = script(evidence, kLogins);
  for (std::size_t i = 0; i < 2; ++i) logins.bystanders[i].latency = 6 * kMs;
  for (std::size_t i = 2; i < 100; ++i)
    logins.bystanders[i].latency = logins.bystanders[i].no_core = 90 * kMs;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::violated);
}

TEST(NotFrozen, OneOfAHundredMayWait) {
  Evidence evidence = good();
  script(evidence, kLogins).bystanders[7].latency = 900 * kMs;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::holds);
}

TEST(NotFrozen, FewRequestsHaveNoPercentile) {
  Evidence evidence = good();
  script(evidence, kLogins).bystanders.resize(kFewestPings - 1);
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::inconclusive);
}

TEST(NotFrozen, WhatTheLoopWaitedIsExcusedByTheMachinesLatenessAndWhatItComputedIsNot) {
  Evidence evidence = good();
  auto& logins = script(evidence, kLogins);
  for (std::size_t i = 0; i < 2; ++i) logins.bystanders[i].latency = 30 * kMs;
  logins.hiccup = 90ms;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::violated) << "computed";
  for (std::size_t i = 0; i < 2; ++i) logins.bystanders[i].waited = 25 * kMs;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::holds);
  logins.hiccup = 24ms;
  EXPECT_EQ(verdict(kNotFrozen, evidence), Verdict::violated);
}

/// What a thread did, one thing after the other, as its counts tell it.
class Life {
 public:
  Life& computes(Nanos time) {
    counts_.computed += time;
    return ran(time);
  }
  Life& is_queued(Nanos time) {
    counts_.queued += time;
    return ran(time);
  }
  Life& is_stolen_from(Nanos time) { return ran(time); }  // nobody counts it
  Life& waits_for_somebody(Nanos time, Nanos queued = {}) {
    ++counts_.waits;
    counts_.queued += queued;
    return ran(time);
  }
  Life& sleeps(Nanos time, Nanos too_long = {}, Nanos computed = {}) {
    ++counts_.waits;
    counts_.computed += computed;
    now_ += time + too_long;
    core_wait_.slept(now_ - too_long, now_, counts_);
    return *this;
  }
  Nanos lost_since(Nanos from) const { return core_wait_.since(from).no_core; }
  Nanos waited_since(Nanos from) const { return core_wait_.since(from).waited; }

 private:
  Life& ran(Nanos time) {
    now_ += time;
    core_wait_.ran(now_, counts_);
    return *this;
  }

  Nanos now_{};
  CoreWait::Counts counts_;
  CoreWait core_wait_{now_, counts_};
};

TEST(CoreWaitTest, ComputingAndWaitingForSomebodyAreTheThreadsOwn) {
  const Life life = Life().computes(5ms).waits_for_somebody(20ms).sleeps(3ms);
  EXPECT_EQ(life.lost_since(0ms), 0ms);
}

TEST(CoreWaitTest, ACoreIsLostToAnotherThreadOrToAHypervisor) {
  EXPECT_EQ(Life().computes(5ms).is_queued(7ms).lost_since(0ms), 7ms);
  EXPECT_EQ(Life().computes(5ms).is_stolen_from(7ms).lost_since(0ms), 7ms);
  EXPECT_EQ(Life().sleeps(5ms, 7ms).lost_since(0ms), 7ms) << "woken too late";
}

TEST(CoreWaitTest, OfAWaitForSomebodyOnlyWhatTheKernelCountsIsLost) {
  EXPECT_EQ(Life().waits_for_somebody(20ms, 7ms).lost_since(0ms), 7ms);
  EXPECT_EQ(Life().computes(9ms).waits_for_somebody(20ms, 7ms).waited_since(0ms), 13ms);
  EXPECT_EQ(Life().computes(9ms).is_stolen_from(20ms).sleeps(5ms, 3ms).waited_since(0ms), 0ms);
}

TEST(CoreWaitTest, TwoStallsInOneBacklogAreBothLost) {
  const Life life = Life().sleeps(10ms, 20ms).computes(1ms).is_stolen_from(15ms).computes(1ms);
  EXPECT_EQ(life.lost_since(10ms), 35ms);
  EXPECT_EQ(life.lost_since(18ms), 27ms) << "due while it was stalled: only what was left of it";
}

TEST(CoreWaitTest, AStallElsewhereExcusesNothing) {
  const Life life = Life().sleeps(10ms, 20ms).sleeps(10ms).computes(20ms);
  EXPECT_EQ(life.lost_since(30ms), 0ms);
  EXPECT_EQ(life.lost_since(29ms), 1ms);
  EXPECT_EQ(life.lost_since(61ms), 0ms) << "not told yet";
}

/// A pool that works in a signal's handler makes the loop sleep too long, and the handler's time is the loop's.
TEST(CoreWaitTest, WhatTheThreadComputedInItsSleepIsItsOwn) {
  EXPECT_EQ(Life().sleeps(5ms, 20ms, 20ms).lost_since(0ms), 0ms);
  EXPECT_EQ(Life().sleeps(5ms, 20ms, 13ms).lost_since(0ms), 7ms);
}

// ---- on its way between processes ------------------------------------------------------------

TEST(ThreadPoolEvidence, SurvivesItsWayToTheRun) {
  ScriptEvidence sent = played(kCrowd, {ran(10), rejected(20), given_back(30)});
  sent.bystanders = {{1, 2, 3, 4}};
  sent.stuck = stuck(4, 5);
  sent.nested_done = false;
  const ScriptEvidence got = evidence_from_json(to_json(sent));
  ASSERT_EQ(got.tasks.size(), 3U);
  EXPECT_EQ(got.tasks[0].ended, 20);
  EXPECT_EQ(got.tasks[1].accepted, false);
  EXPECT_EQ(got.tasks[2].given_back, true);
  EXPECT_EQ(got.bystanders[0].latency, 2);
  EXPECT_EQ(got.bystanders[0].no_core, 3);
  EXPECT_EQ(got.bystanders[0].waited, 4);
  EXPECT_EQ(got.stuck->waiting, 4U);
  EXPECT_EQ(got.stuck->freed_by_a_bell, 12us);
  EXPECT_EQ(got.nested_done, false);
  EXPECT_EQ(got.how, Shutdown::drain);
}

TEST(ThreadPoolOrders, SurviveTheirWayToTheProcess) {
  Orders sent{.variant = "pool", .script = kNested, .fault = kBlocking};
  sent.size = {.workers = 3, .queue_limit = 5};
  sent.patience = 7ms;
  const Orders got = orders_from_json(to_json(sent));
  EXPECT_EQ(got.script, kNested);
  EXPECT_EQ(got.size.workers, 3U);
  EXPECT_EQ(got.patience, 7ms);
  EXPECT_EQ(got.login.memory_kib, sent.login.memory_kib);
}

}  // namespace
}  // namespace thread_pools
