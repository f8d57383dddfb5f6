// The checks of queue_retries, on histories written by hand: each holds, is violated, or cannot tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker_books.h"
#include "checks.h"
#include "core/random.h"
#include "queue/sql_queue.h"
#include "test_support.h"
#include "unfenced_queue.h"

namespace queue_retries {
namespace {

using lab::harness::Outcome;
using lab::harness::Verdict;
using lab::queue::Backoff;
using lab::queue::JobState;
using lab::queue::JobStatus;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// A run in which one job was done by one worker, and what a test adds to it.
class Told {
 public:
  Told() {
    evidence_.drained = true;
    evidence_.retry = {.backoff = Backoff::jitter, .base = 100ms, .cap = 400ms};
    evidence_.lease = 100ms;
    evidence_.noticed = 120ms;  // sweeps every 20 ms
    evidence_.idle = 10ms;
  }

  Told& job(std::int64_t number, Trait trait = Trait::ordinary, Nanos delay = {},
            Outcome outcome = Outcome::ok) {
    evidence_.jobs.push_back(
        {{.number = number, .trait = trait, .delay = delay}, 0ms, 1ms, outcome});
    return *this;
  }
  Told& op(Kind kind, std::uint32_t worker, Nanos when, std::int64_t key, std::int64_t value,
           std::int64_t aux = 1, Outcome outcome = Outcome::ok) {
    evidence_.operations.push_back({.planned = when,
                                    .invoked = when,
                                    .returned = when,
                                    .key = key,
                                    .value = value,
                                    .aux = aux,
                                    .client = worker,
                                    .kind = kind,
                                    .outcome = outcome});
    return *this;
  }
  Told& claim(std::uint32_t worker, Nanos when, std::int64_t key, std::int64_t epoch,
              std::int64_t attempt = 1) {
    return op(kClaim, worker, when, key, epoch, attempt);
  }
  Told& fail(std::uint32_t worker, Nanos when, std::int64_t key, std::int64_t epoch, Nanos delay) {
    return op(kFail, worker, when, key, epoch, delay.count());
  }
  Told& status(std::int64_t key, JobStatus status) {
    evidence_.statuses[key] = std::move(status);
    return *this;
  }
  /// Claimed, done and completed, with no trouble.
  Told& done(std::int64_t key, Nanos when = 10ms) {
    evidence_.effects[key] += 1;
    status(key, {.state = JobState::completed, .attempts = 1, .max_attempts = 5, .epoch = 1});
    return claim(0, when, key, 1).op(kComplete, 0, when + 2ms, key, 1);
  }
  Evidence& evidence() { return evidence_; }

  lab::harness::CheckResult judge(const std::string& check) const {
    for (const auto& known : checks()) {
      if (known.name != check) continue;
      auto answer = known.judge(evidence_);
      return answer ? *answer : lab::harness::CheckResult::inconclusive("it does not apply");
    }
    ADD_FAILURE() << "no check " << check;
    return {};
  }

 private:
  Evidence evidence_;
};

void expect_violated(const Told& run, const std::string& check, const std::string& witness) {
  const auto result = run.judge(check);
  EXPECT_EQ(result.verdict, Verdict::violated) << check;
  EXPECT_THAT(result.witness, HasSubstr(witness));
}

void expect_holds(const Told& run, const std::string& check) {
  const auto result = run.judge(check);
  EXPECT_EQ(result.verdict, Verdict::holds) << check << ": " << result.witness;
}

void expect_unknown(const Told& run, const std::string& check) {
  EXPECT_EQ(run.judge(check).verdict, Verdict::inconclusive) << check;
}

JobStatus dead(int attempts, int stalls = 0) {
  return {.state = JobState::dead,
          .attempts = attempts,
          .max_attempts = 5,
          .stalls = stalls,
          .last_error = attempts > 0 ? "451" : "",
          .history = {{.epoch = 1, .attempt = 1, .worker = "w", .what = "failed", .error = "451"}}};
}

TEST(NoJobLost, HoldsWhenEachIsDoneOrDead) {
  expect_holds(Told().job(1).done(1).job(2, Trait::hopeless).status(2, dead(5)), "no-job-lost");
}

TEST(NoJobLost, IsViolatedByAJobThatVanished) {
  expect_violated(Told().job(1).claim(2, 10ms, 1, 1), "no-job-lost",
                  "email-1 was accepted at 1.0 ms: claimed by worker 2 at 10.0 ms");
}

TEST(NoJobLost, IsViolatedByAJobCalledCompletedThatWasNot) {
  Told run;
  run.job(1).done(1).evidence().effects.clear();
  expect_violated(run, "no-job-lost", "the queue calls it completed");
}

TEST(NoJobLost, IsViolatedByAStranger) {
  expect_violated(Told().job(1).done(1).done(99), "no-job-lost", "job 99 was done and never");
}

TEST(NoJobLost, CannotTellWhileJobsWait) {
  Told run;
  run.job(1).status(1, {.state = JobState::waiting}).evidence().drained = false;
  expect_unknown(run, "no-job-lost");
}

TEST(NoJobLost, AsksNothingOfWhatWasNotAccepted) {
  expect_holds(Told().job(1).done(1).job(2, Trait::ordinary, {}, Outcome::info), "no-job-lost");
}

/// A broker tells of the dead only: what is neither done nor dead is lost as soon as nobody waits for it any more.
TEST(NoJobLost, IsViolatedByAMessageThatABrokerForgot) {
  Told run;
  run.job(1).done(1).job(2).claim(1, 10ms, 2, 1).evidence().statuses.clear();
  expect_violated(run, "no-job-lost", "1 of 2 accepted jobs lost; email-2");
  run.evidence().drained = false;
  expect_unknown(run, "no-job-lost");
}

TEST(Silence, EndsWithAWordOrAWaitingJob) {
  Silence silence(10s);
  const auto at = [](Nanos time) { return lab::Instant(time); };
  EXPECT_FALSE(silence.lasts(0, 64, at(1s)));
  EXPECT_FALSE(silence.lasts(0, 64, at(11s))) << "not yet longer than that";
  EXPECT_TRUE(silence.lasts(0, 64, at(12s)));
  EXPECT_FALSE(silence.lasts(0, 128, at(13s))) << "somebody wrote";
  EXPECT_FALSE(silence.lasts(0, 128, at(22s)));
  EXPECT_FALSE(silence.lasts(1, 128, at(24s))) << "a job waits";
  EXPECT_FALSE(silence.lasts(0, 128, at(34s)));
  EXPECT_TRUE(silence.lasts(0, 128, at(35s)));
}

TEST(OneEffect, IsViolatedByASecondOne) {
  Told run;
  run.job(1).done(1).claim(3, 200ms, 1, 2).evidence().effects[1] = 2;
  expect_violated(run, "one-effect-per-job", "claimed by worker 3 at 200.0 ms (epoch 2)");
  expect_holds(Told().job(1).done(1), "one-effect-per-job");
}

TEST(Attempts, DeadOnlyAtTheLimitAndWithTheReason) {
  expect_holds(Told().job(1).done(1).job(2).status(2, dead(5)).job(3).status(3, dead(0, 3)),
               "attempts-within-limit");
  expect_violated(Told().job(2).status(2, dead(4)), "attempts-within-limit", "4 of 5 attempts");
  expect_violated(Told().job(2).status(2, dead(6)), "attempts-within-limit", "6 of 5 attempts");
  expect_violated(
      Told().job(2).status(2, {.state = JobState::dead, .attempts = 5, .max_attempts = 5}),
      "attempts-within-limit", "last error ''");
  expect_unknown(Told(), "attempts-within-limit");
  expect_holds(Told().job(1).claim(0, 1ms, 1, 1, kMaxAttempts), "attempts-within-limit");
  expect_violated(Told().job(1).claim(0, 1ms, 1, 1, kMaxAttempts + 1), "attempts-within-limit",
                  "attempt 5 of job 1 was begun, of 4");
}

TEST(Backoff, ARetryIsNotEarly) {
  expect_holds(Told().job(1).claim(0, 10ms, 1, 1).fail(0, 20ms, 1, 1, 50ms).claim(1, 71ms, 1, 2, 2),
               "retry-within-backoff");
  expect_violated(
      Told().job(1).claim(0, 10ms, 1, 1).fail(0, 20ms, 1, 1, 50ms).claim(1, 69ms, 1, 2, 2),
      "retry-within-backoff", "before its delay of 50.0 ms");
  expect_unknown(Told().job(1).done(1), "retry-within-backoff");
}

TEST(Backoff, ARetryIsNotForgottenFor) {
  // the delay of 50 + lease and sweep 120 + idle 10 + a turn of 10 + the first claim's wait of 9
  const auto back = [](Nanos when) {
    return Told().job(1).claim(0, 10ms, 1, 1).fail(0, 20ms, 1, 1, 50ms).claim(1, when, 1, 2, 2);
  };
  expect_holds(back(219ms), "retry-within-backoff");
  expect_violated(back(220ms), "retry-within-backoff", "long after its delay of 50.0 ms");
  Told asleep = back(400ms);
  asleep.evidence().pauses = {{1, 100ms, 390ms}};
  expect_holds(asleep, "retry-within-backoff");
  // worker 2 was handed it, slept, and it went to worker 1
  asleep.evidence().pauses = {{2, 100ms, 390ms}};
  expect_violated(asleep, "retry-within-backoff", "long after its delay of 50.0 ms");
  asleep.evidence().handed_out_ahead = true;
  expect_holds(asleep, "retry-within-backoff");
}

/// A worker that is handed jobs ahead has other slow ones while it works on one: these wait for it, and no other job does.
TEST(Backoff, ASlowJobExcusesNoOther) {
  Told run;
  run.job(1).claim(0, 10ms, 1, 1).fail(0, 20ms, 1, 1, 50ms).claim(1, 220ms, 1, 2, 2);
  run.job(2, Trait::slow).claim(2, 30ms, 2, 1).op(kComplete, 2, 5030ms, 2, 1);
  run.job(3, Trait::slow).claim(2, 5031ms, 3, 1);
  run.evidence().handed_out_ahead = true;
  expect_violated(run, "retry-within-backoff", "long after its delay of 50.0 ms");
  EXPECT_EQ(redelivery_bound(run.evidence()), 149ms);
  // a turn of 5000 and a wait of 5030, in place of 10 and 9
  EXPECT_EQ(redelivery_bound(run.evidence(), Trait::slow), 10'160ms);
}

TEST(Backoff, ADelayIsWithinThePolicy) {
  expect_violated(Told().job(1).claim(0, 10ms, 1, 1).fail(0, 20ms, 1, 1, 101ms),
                  "retry-within-backoff", "outside 0.0 ms to 100.0 ms");
  expect_holds(
      Told().job(1).claim(0, 10ms, 1, 2, 2).fail(0, 20ms, 1, 2, 199ms).claim(0, 300ms, 1, 3, 3),
      "retry-within-backoff");
  // who slept writes down an early claim late
  expect_holds(Told()
                   .job(1)
                   .claim(0, 10ms, 1, 2, 2)
                   .claim(1, 15ms, 1, 1, 1)
                   .fail(0, 20ms, 1, 2, 199ms)
                   .claim(0, 300ms, 1, 3, 3),
               "retry-within-backoff");
}

/// Jobs that failed together and came back, each after so long. What was asked for is a part of it.
template <class Gap>
Told herd(const Gap& gap, Nanos asked = 1ms, int size = 50) {
  Told run;
  for (int i = 0; i < size; ++i)
    run.job(i, Trait::herd).claim(0, 1ms, i, 1).fail(0, 2ms, i, 1, asked * (i % 10));
  for (int i = 0; i < size; ++i) run.claim(0, 2ms + gap(i), i, 2, 2);
  return run;
}

TEST(Spread, JitterSpreadsAHerdAndAFixedDelayDoesNot) {
  expect_holds(herd([](int i) { return i * 2ms; }), "retries-spread");
  expect_violated(herd([](int) { return 100ms; }), "retries-spread", "100 % of the jobs");
  expect_unknown(Told().job(1).done(1), "retries-spread");
}

TEST(Spread, FourInFiveMayComeTogetherAndNoMore) {
  const auto together = [](int so_many) {
    return herd([=](int i) { return i < so_many ? 100ms : i * 1ms; });
  };
  expect_holds(together(40), "retries-spread");
  expect_violated(together(41), "retries-spread", "82 % of the jobs");
}

TEST(Spread, JitterThatIsNearlyNoneIsSeen) {
  expect_violated(herd([](int i) { return 60ms + (i % 10) * 3ms; }), "retries-spread", "came back");
}

/// What full jitter does to herds of all sizes that are judged: the bound is made for the fullest of all windows.
TEST(Spread, JitterIsNotAccused) {
  lab::Random random(7);
  for (int i = 0; i < 1'000; ++i) {
    const int size = 40 + i % 9;
    expect_holds(herd([&](int) { return Nanos(random.below(100'000'000)); }, 1ms, size),
                 "retries-spread");
  }
}

/// The delays that were asked for are spread; the queue lets all go at the cap.
TEST(Spread, AQueueThatReleasesAllTogetherIsSeen) {
  expect_violated(herd([](int) { return 100ms; }, 10ms), "retries-spread", "100 % of the jobs");
}

TEST(Spread, AMachineThatStoodStillMayHaveGatheredThem) {
  Told run = herd([](int) { return 100ms; }, 10ms);
  run.evidence().hiccup = 39ms;
  expect_violated(run, "retries-spread", "100 % of the jobs");
  run.evidence().hiccup = 41ms;
  expect_unknown(run, "retries-spread");
  Told without_jitter = herd([](int) { return 100ms; });
  without_jitter.evidence().hiccup = 41ms;
  expect_violated(without_jitter, "retries-spread", "100 % of the jobs");
}

TEST(Spread, IsMeasuredWhereTheHerdComesBack) {
  Told run = herd([](int i) { return i * 2ms; });
  EXPECT_EQ(herd_back_within(run.evidence()), 80ms);
}

/// Worker 2 dies with job 1 at 20 ms; worker 3 claims it at `again`.
Told orphan(Nanos again) {
  Told run;
  run.job(1).claim(2, 10ms, 1, 1).claim(3, again, 1, 2).evidence().deaths = {{2, 20ms, 20ms}};
  return run;
}

TEST(Redelivery, IsBoundedByLeaseAndSweep) {
  // lease 100 + sweep 20 + idle 10 + the first claim's wait of 9
  EXPECT_EQ(redelivery_bound(orphan(150ms).evidence()), 139ms);
  expect_holds(orphan(150ms), "redelivered-in-time");
  expect_violated(orphan(160ms), "redelivered-in-time", "140.0 ms after worker 2 had died");
  expect_unknown(Told().job(1).done(1), "redelivered-in-time");
}

/// Worker 1 may have claimed it, died before it wrote that down, and cost it another lease.
TEST(Redelivery, TakesAnotherLeaseWhenAnotherDiedMeanwhile) {
  const auto with_death_at = [](Nanos death, Nanos again) {
    Told run = orphan(again);
    run.job(2);
    for (int i = 0; i < 2; ++i) {  // others, so that this is not the usual one
      run.job(3 + i).claim(2, 15ms, 3 + i, 1).claim(3, 100ms, 3 + i, 2);
    }
    run.evidence().deaths.push_back({1, death, death});
    return run;
  };
  // another lease and sweep 120 + idle 10, beside 120 + 10 + the longest first wait of 14
  expect_holds(with_death_at(120ms, 294ms), "redelivered-in-time");
  expect_violated(with_death_at(120ms, 295ms), "redelivered-in-time", "275.0 ms after worker 2");
  expect_violated(with_death_at(60ms, 294ms), "redelivered-in-time", "274.0 ms after worker 2");
}

/// Worker 2 dies three times with a job; each is claimed again after so long.
Told orphans(std::vector<Nanos> after) {
  Told run;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto job = static_cast<std::int64_t>(i + 1);
    const Nanos begin = 1s * job;
    run.job(job).claim(2, begin, job, 1).claim(3, begin + 10ms + after[i], job, 2);
    run.evidence().jobs.back().returned = begin - 500ms;  // others had waited for long
    run.evidence().deaths.push_back({2, begin + 10ms, begin + 10ms});
  }
  return run;
}

/// However long the run's own turns and waits were: a queue that is slow for all is not excused by it.
TEST(Redelivery, TheUsualOneIsBoundedByLeaseAndSweepAlone) {
  expect_holds(orphans({100ms, 130ms, 400ms}), "redelivered-in-time");
  expect_violated(orphans({100ms, 131ms, 400ms}), "redelivered-in-time",
                  "half of the 3 jobs whose worker had died were claimed again after 131.0 ms");
}

TEST(TakenOver, CountsWhatASleeperHeld) {
  const auto run = [](Nanos pause, Nanos again) {
    Told told;
    told.job(1).claim(1, 10ms, 1, 1).claim(2, again, 1, 2).evidence().pauses = {
        {1, pause, pause + 200ms}};
    return taken_over(told.evidence());
  };
  EXPECT_EQ(run(20ms, 150ms), 1u);
  EXPECT_EQ(run(20ms, 230ms), 0u) << "it was awake again";
  EXPECT_EQ(run(5ms, 150ms), 0u) << "it had nothing in hand";
  Told done;
  done.job(1).claim(1, 10ms, 1, 1).op(kComplete, 1, 12ms, 1, 1).claim(2, 150ms, 1, 2);
  done.evidence().pauses = {{1, 20ms, 220ms}};
  EXPECT_EQ(taken_over(done.evidence()), 0u);
}

TEST(LateCompletion, IsRejected) {
  const auto late = [](std::int64_t accepted) {
    return Told()
        .job(1)
        .claim(1, 10ms, 1, 1)
        .claim(2, 200ms, 1, 2)
        .op(kComplete, 1, 210ms, 1, 1, accepted)
        .op(kComplete, 2, 220ms, 1, 2, 1 - accepted);
  };
  expect_holds(late(0), "late-completion-rejected");
  expect_violated(late(1), "late-completion-rejected", "epoch 1 was accepted");
  expect_violated(Told().job(1).done(1).op(kComplete, 1, 50ms, 1, 1), "late-completion-rejected",
                  "completed twice");
  expect_unknown(Told().job(1).claim(1, 10ms, 1, 1), "late-completion-rejected");
}

/// A failure's report that was cut off may leave a second message of the job, and no third.
TEST(LateCompletion, OfEachCopyWhereAQueueRemembersNoIds) {
  Told twice;
  twice.job(1)
      .claim(1, 10ms, 1, 1)
      .claim(2, 200ms, 1, 2)
      .op(kComplete, 1, 210ms, 1, 1)
      .op(kComplete, 2, 220ms, 1, 2);
  twice.evidence().remembers_ids = false;
  expect_violated(twice, "late-completion-rejected", "completed twice");
  twice.op(kFail, 3, 300ms, 1, 1, 0, Outcome::info);
  expect_holds(twice, "late-completion-rejected");
  twice.op(kComplete, 2, 310ms, 1, 3);
  expect_violated(twice, "late-completion-rejected", "completed too often");
  twice.evidence().remembers_ids = true;
  expect_violated(twice, "late-completion-rejected", "completed twice");
}

/// By a job's id: in the name of whoever has it, and again when it is done; but not while it waits.
TEST(LateCompletion, IsTakenByAQueueWithoutAFence) {
  const lab::test::TestFolder folder;
  const auto sql = lab::infra::connect_sql(
      {.engine = lab::infra::SqlEngine::sqlite, .path = (folder / "queue").string()});
  ASSERT_TRUE(lab::queue::SqlJobQueue::create_tables(*sql));
  lab::queue::SqlJobQueue fenced(*sql);
  UnfencedQueue without(fenced);
  lab::queue::JobQueue& queue = without;
  ASSERT_TRUE(queue.enqueue({.id = "email-1"}));
  const auto first = queue.claim({.worker = "w1"})->front().receipt();
  ASSERT_TRUE(*queue.give_back(first));
  EXPECT_FALSE(*queue.complete(first));
  const auto second = queue.claim({.worker = "w2"})->front().receipt();
  EXPECT_FALSE(*fenced.JobQueue::complete(first));
  EXPECT_TRUE(*queue.complete(first));
  EXPECT_EQ(queue.status("email-1")->state, JobState::completed);
  EXPECT_TRUE(*queue.complete(second));
}

TEST(Heartbeat, ALongJobRunsOnceUnlessItsWorkerWent) {
  Told twice;
  twice.job(1, Trait::slow).claim(1, 10ms, 1, 1).claim(2, 150ms, 1, 2);
  expect_violated(twice, "heartbeat-keeps-lease", "although its worker was there");
  twice.evidence().jobs[0].hiccup = 34ms;
  expect_unknown(twice, "heartbeat-keeps-lease");
  Told another = twice;
  expect_holds(another.job(2, Trait::slow).claim(1, 300ms, 2, 1), "heartbeat-keeps-lease");
  expect_violated(another.claim(2, 450ms, 2, 2), "heartbeat-keeps-lease",
                  "although its worker was there");
  twice.evidence().jobs[0].hiccup = 33ms;
  expect_violated(twice, "heartbeat-keeps-lease", "although its worker was there");
  twice.evidence().deaths = {{1, 30ms, 30ms}};
  expect_holds(twice, "heartbeat-keeps-lease");
  twice.evidence().deaths = {{3, 30ms, 30ms}};
  expect_violated(twice, "heartbeat-keeps-lease", "claimed again");
  twice.evidence().pauses = {{1, 30ms, 130ms}};
  expect_holds(twice, "heartbeat-keeps-lease");
  expect_unknown(Told().job(1).done(1), "heartbeat-keeps-lease");
}

TEST(Poison, EndsAmongTheDeadAfterSoManyStalls) {
  expect_holds(Told().job(1, Trait::poison).status(1, dead(0, kMaxStalls + 1)), "poison-buried");
  expect_violated(Told().job(1, Trait::poison).status(1, {.state = JobState::waiting, .stalls = 9}),
                  "poison-buried", "is waiting after 0 claims and 9 stalls");
  Told often;
  often.job(1, Trait::poison).status(1, dead(0, kMaxStalls + 1));
  for (int i = 1; i <= kMaxStalls + 1; ++i) often.claim(0, 10ms * i, 1, i);
  expect_holds(often, "poison-buried");
  often.claim(0, 90ms, 1, kMaxStalls + 2);
  expect_violated(often, "poison-buried", "is dead after 4 claims");
  often.evidence().jobs.front().tries =
      2;  // there may be two copies, unless the queue knows the id
  expect_violated(often, "poison-buried", "is dead after 4 claims");
  often.evidence().remembers_ids = false;
  expect_holds(often, "poison-buried");
  Told forgotten;
  forgotten.job(1, Trait::poison).claim(0, 10ms, 1, 1);
  expect_violated(forgotten, "poison-buried", "is among nothing that is left after 1 claims");
  forgotten.evidence().drained = false;
  expect_unknown(forgotten, "poison-buried");
  expect_unknown(Told().job(1).done(1), "poison-buried");
}

TEST(Delayed, IsNeverEarly) {
  expect_holds(Told().job(1, Trait::delayed, 50ms).claim(0, 50ms, 1, 1), "delayed-never-early");
  expect_violated(Told().job(1, Trait::delayed, 50ms).claim(0, 49ms, 1, 1), "delayed-never-early",
                  "with a delay of 50.0 ms and claimed at 49.0 ms");
  expect_unknown(Told().job(1).done(1), "delayed-never-early");
}

TEST(AListThatKeepsNothing, IsNotHeldToWhatOnlyAQueuePromises) {
  Told run;
  run.job(1).done(1).evidence().keeps = false;
  for (const char* check : {"attempts-within-limit", "retry-within-backoff", "redelivered-in-time",
                            "heartbeat-keeps-lease", "poison-buried", "late-completion-rejected"})
    EXPECT_EQ(run.judge(check).witness, "it does not apply") << check;
}

TEST(Jobs, SurviveTheirPayload) {
  for (const auto trait : {Trait::ordinary, Trait::hopeless, Trait::poison, Trait::slow,
                           Trait::delayed, Trait::herd}) {
    const Job job{.number = 17, .errand = Errand::capture, .trait = trait};
    const auto back = decode(encode(job));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->id(), "capture-17");
    EXPECT_EQ(back->trait, trait);
  }
  for (const char* text : {"", "email", "email|x|ordinary|", "email|1|odd|", "fax|1|ordinary|"})
    EXPECT_FALSE(decode(text)) << text;
}

TEST(Jobs, OneCallInFiveIsRefused) {
  int refused = 0;
  for (std::int64_t number = 1; number <= 10'000; ++number)
    refused += provider_refuses({.number = number}, 1, 7);
  EXPECT_NEAR(refused, 2'000, 200) << "five standard deviations";
  EXPECT_TRUE(provider_refuses({.number = 1, .trait = Trait::hopeless}, 3, 7));
  EXPECT_TRUE(provider_refuses({.number = 1, .trait = Trait::herd}, 1, 7));
  EXPECT_FALSE(provider_refuses({.number = 1, .trait = Trait::herd}, 2, 7));
}

TEST(Jobs, ThePlanIsTheSeeds) {
  const auto plan = [](std::uint64_t seed) { return plan_jobs({.load = 500}, 300ms, seed); };
  ASSERT_EQ(plan(1).load.size(), 500u);
  EXPECT_EQ(plan(1).load[77].delay, plan(1).load[77].delay);
  EXPECT_EQ(plan(1).load.front().trait, Trait::poison);
  const auto delays = [&](std::uint64_t seed) {
    std::vector<Nanos> all;
    for (const auto& job : plan(seed).load) all.push_back(job.delay);
    return all;
  };
  EXPECT_EQ(delays(1), delays(1));
  EXPECT_NE(delays(1), delays(2));
}

}  // namespace
}  // namespace queue_retries
