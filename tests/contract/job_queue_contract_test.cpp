// What every job queue must do, whatever it is kept in.
#include <fmt/format.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "job_queue_support.h"

namespace lab::queue {
namespace {

using lab::test::must;
using test::make_queues;
using test::Queues;

constexpr Nanos kLong = 60s;
constexpr Nanos kShort = 40ms;

class JobQueueContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    LAB_NEEDS(test::needed_for(GetParam()));
    queues_ = make_queues(GetParam());
  }
  std::unique_ptr<JobQueue> make(Nanos lease = kLong, QueueRules rules = {}) {
    return queues_->make(lease, rules);
  }

  std::unique_ptr<Queues> queues_;
};

INSTANTIATE_TEST_SUITE_P(All, JobQueueContract,
                         ::testing::Values("redis", "streams", "sqlite", "mariadb", "postgres"),
                         [](const auto& chosen) { return chosen.param; });

std::vector<LeasedJob> claim(JobQueue& queue, std::size_t most = 1, Nanos lease = kLong,
                             Nanos wait = {}) {
  return must(queue.claim({.worker = "w1", .most = most, .lease = lease, .wait = wait}));
}

LeasedJob claim_one(JobQueue& queue, Nanos lease = kLong) {
  auto jobs = claim(queue, 1, lease, 5s);
  if (jobs.size() != 1) throw std::runtime_error("there should have been a job");
  return jobs.front();
}

std::vector<std::string> ids(const std::vector<LeasedJob>& jobs) {
  std::vector<std::string> all;
  for (const auto& job : jobs) all.push_back(job.id);
  return all;
}

std::vector<Receipt> receipts(const std::vector<LeasedJob>& jobs) {
  std::vector<Receipt> all;
  for (const auto& job : jobs) all.push_back(job.receipt());
  return all;
}

/// Enqueues jobs of these ids.
void put(JobQueue& queue, const std::vector<std::string>& names) {
  std::vector<NewJob> jobs;
  for (const auto& id : names) jobs.push_back({.id = id, .payload = "payload of " + id});
  must(queue.enqueue(jobs));
}

JobState state(JobQueue& queue, const std::string& id) {
  return must(queue.status(id)).state;
}

/// Sweeps until a lease has run out.
void sweep_one(JobQueue& queue) {
  std::size_t swept = 0;
  ASSERT_TRUE(lab::test::eventually(10s, [&] {
    swept += must(queue.sweep());
    return swept > 0;
  }));
}

using Strings = std::vector<std::string>;

TEST_P(JobQueueContract, AJobGoesFromWaitingToCompleted) {
  const auto queue = make();
  const std::string odd = "\r\n'\"\\ÿ|\x7f{}";
  EXPECT_TRUE(must(queue->enqueue({.id = "a", .payload = odd})).added);
  EXPECT_EQ(state(*queue, "a"), JobState::waiting);
  const LeasedJob job = claim_one(*queue);
  EXPECT_EQ(job.id, "a");
  EXPECT_EQ(job.payload, odd);
  EXPECT_EQ(job.attempt, 1);
  EXPECT_EQ(job.max_attempts, 5);
  EXPECT_EQ(job.epoch, 1);
  EXPECT_EQ(state(*queue, "a"), JobState::active);
  EXPECT_TRUE(must(queue->progress(job.receipt(), 40)));
  EXPECT_EQ(must(queue->status("a")).progress_percent, 40);
  EXPECT_TRUE(must(queue->complete(job.receipt())));
  const JobStatus status = must(queue->status("a"));
  EXPECT_EQ(status.state, JobState::completed);
  EXPECT_EQ(status.attempts, 1);
  EXPECT_FALSE(must(queue->complete(job.receipt()))) << "only once";
  EXPECT_TRUE(claim(*queue).empty());
  EXPECT_EQ(must(queue->counts())[JobState::completed], 1);
}

TEST_P(JobQueueContract, AKnownIdIsNoSecondJob) {
  const auto queue = make();
  EXPECT_TRUE(must(queue->enqueue({.id = "a", .payload = "first"})).added);
  EXPECT_FALSE(must(queue->enqueue({.id = "a", .payload = "second"})).added);
  const LeasedJob job = claim_one(*queue);
  EXPECT_EQ(job.payload, "first");
  EXPECT_TRUE(claim(*queue).empty());
  EXPECT_TRUE(must(queue->complete(job.receipt())));
  EXPECT_FALSE(must(queue->enqueue({.id = "a", .payload = "third"})).added);
  EXPECT_TRUE(claim(*queue).empty());
  const auto twice = must(queue->enqueue(std::vector<NewJob>{{.id = "b"}, {.id = "b"}}));
  EXPECT_TRUE(twice[0].added);
  EXPECT_FALSE(twice[1].added);
  const auto held = receipts(claim(*queue, 5));
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(must(queue->complete(std::vector<Receipt>{held[0], held[0]})),
            (std::vector<bool>{true, false}));
}

TEST_P(JobQueueContract, MakesIdsOfItsOwn) {
  const auto queue = make();
  const auto made = must(queue->enqueue(std::vector<NewJob>{{.payload = "x"}, {.payload = "x"}}));
  EXPECT_NE(made[0].id, made[1].id);
  EXPECT_EQ(ids(claim(*queue, 10)), (Strings{made[0].id, made[1].id}));
}

TEST_P(JobQueueContract, FirstByPriorityThenByAge) {
  const auto queue = make();
  must(queue->enqueue(std::vector<NewJob>{{.id = "low", .priority = Priority::low},
                                          {.id = "n1"},
                                          {.id = "n2"},
                                          {.id = "high", .priority = Priority::high},
                                          {.id = "n3"}}));
  EXPECT_EQ(ids(claim(*queue, 2)), (Strings{"high", "n1"}));
  EXPECT_EQ(ids(claim(*queue, 9)), (Strings{"n2", "n3", "low"}));
}

TEST_P(JobQueueContract, ADelayedJobIsNeverEarly) {
  const auto queue = make();
  const Instant asked = now();
  must(queue->enqueue({.id = "later", .delay = 120ms}));
  EXPECT_EQ(state(*queue, "later"), JobState::delayed);
  EXPECT_EQ(must(queue->counts())[JobState::delayed], 1);
  EXPECT_TRUE(claim(*queue).empty());
  EXPECT_EQ(claim_one(*queue).id, "later");
  EXPECT_GE(now() - asked, 120ms);
}

TEST_P(JobQueueContract, AFailedJobComesBackAndDiesOfItsLastAttempt) {
  const auto queue = make();
  must(queue->enqueue({.id = "a", .payload = "mail", .max_attempts = 2}));
  const LeasedJob first = claim_one(*queue);
  const Instant failed = now();
  EXPECT_TRUE(must(queue->fail(first.receipt(), "550 no such user", 60ms)));
  EXPECT_FALSE(must(queue->fail(first.receipt(), "again", 60ms)));
  EXPECT_EQ(state(*queue, "a"), JobState::failed);
  EXPECT_EQ(must(queue->counts())[JobState::failed], 1);
  const LeasedJob second = claim_one(*queue);
  EXPECT_GE(now() - failed, 60ms);
  EXPECT_EQ(second.attempt, 2);
  EXPECT_EQ(second.max_attempts, 2);
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_TRUE(must(queue->fail(second.receipt(), "550 still none", 60ms)));
  const JobStatus status = must(queue->status("a"));
  EXPECT_EQ(status.state, JobState::dead);
  EXPECT_EQ(status.attempts, 2);
  EXPECT_EQ(status.last_error, "550 still none");
  ASSERT_EQ(status.history.size(), 2u);
  EXPECT_EQ(status.history[0].error, "550 no such user");
  EXPECT_EQ(status.history[0].worker, "w1");
  EXPECT_EQ(status.history[1].attempt, 2);
  EXPECT_TRUE(claim(*queue).empty());
  EXPECT_EQ(must(queue->counts())[JobState::dead], 1);
}

TEST_P(JobQueueContract, ARedrivenJobKeepsItsId) {
  const auto queue = make();
  must(queue->enqueue({.id = "a", .payload = "mail", .max_attempts = 1}));
  const LeasedJob first = claim_one(*queue);
  must(queue->fail(first.receipt(), "no", {}));
  const auto letters = must(queue->dead_letters());
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].id, "a");
  EXPECT_EQ(letters[0].payload, "mail");
  EXPECT_EQ(letters[0].status.last_error, "no");
  EXPECT_TRUE(must(queue->redrive("a")));
  EXPECT_FALSE(must(queue->redrive("a"))) << "it is not dead any more";
  EXPECT_TRUE(must(queue->dead_letters()).empty());
  const LeasedJob again = claim_one(*queue);
  EXPECT_EQ(again.id, "a");
  EXPECT_EQ(again.payload, "mail");
  EXPECT_EQ(again.attempt, 1);
  EXPECT_GT(again.epoch, first.epoch);
  EXPECT_TRUE(must(queue->complete(again.receipt())));
  EXPECT_EQ(must(queue->status("a")).history.size(), 2u) << "failed, redriven";
}

TEST_P(JobQueueContract, AnExpiredLeaseGoesToSomebodyElseAndTheLateWorkerIsRejected) {
  const auto queue = make(kShort);
  put(*queue, {"a"});
  const LeasedJob late = claim_one(*queue, kShort);
  EXPECT_EQ(must(queue->sweep()), 0u) << "its lease still holds";
  sweep_one(*queue);
  EXPECT_EQ(state(*queue, "a"), JobState::waiting);
  EXPECT_FALSE(must(queue->complete(late.receipt()))) << "nobody has it";
  const LeasedJob taken = claim_one(*queue, kShort);
  EXPECT_EQ(taken.id, "a");
  EXPECT_EQ(taken.stalls, 1);
  EXPECT_EQ(taken.attempt, 1);
  EXPECT_GT(taken.epoch, late.epoch);
  EXPECT_FALSE(must(queue->complete(late.receipt())));
  EXPECT_FALSE(must(queue->fail(late.receipt(), "late", {})));
  EXPECT_FALSE(must(queue->renew(late.receipt(), kShort)));
  EXPECT_FALSE(must(queue->give_back(late.receipt())));
  EXPECT_FALSE(must(queue->progress(late.receipt(), 99)));
  EXPECT_TRUE(must(queue->complete(taken.receipt())));
  EXPECT_EQ(must(queue->status("a")).history.at(0).what, "stalled");
}

TEST_P(JobQueueContract, ARenewedLeaseHolds) {
  constexpr Nanos lease = 300ms;
  const auto queue = make(lease);
  put(*queue, {"a"});
  const LeasedJob job = claim_one(*queue, lease);
  for (const Instant end = now() + 3 * lease; now() < end; std::this_thread::sleep_for(lease / 6)) {
    EXPECT_TRUE(must(queue->renew(job.receipt(), lease)));
    EXPECT_EQ(must(queue->sweep()), 0u);
  }
  EXPECT_TRUE(must(queue->complete(job.receipt())));
}

TEST_P(JobQueueContract, WhatLostItsWorkerComesBeforeWhatWaits) {
  constexpr Nanos lease = 20ms;
  const auto queue = make(lease);
  put(*queue, {"a", "b", "c", "d"});
  claim(*queue, 3, lease);
  std::this_thread::sleep_for(2 * lease);
  EXPECT_EQ(must(queue->sweep(2)), 2u);
  EXPECT_EQ(must(queue->sweep()), 1u);
  auto counts = must(queue->counts());
  EXPECT_EQ(counts[JobState::waiting], 4);
  EXPECT_EQ(counts[JobState::active], 0);
  std::this_thread::sleep_for(2 * lease);
  EXPECT_EQ(must(queue->sweep()), 0u) << "nobody has it to lose";
  const auto again = claim(*queue, 4, lease);
  const auto got = ids(again);
  EXPECT_EQ(std::set(got.begin(), got.begin() + 3), (std::set<std::string>{"a", "b", "c"}));
  for (const auto& job : again) EXPECT_EQ(job.stalls, job.id == "d" ? 0 : 1);
}

TEST_P(JobQueueContract, AJobThatLosesItsWorkersIsBuried) {
  const auto queue = make(1ms, {.max_stalls = 2});
  put(*queue, {"poison"});
  for (int stall = 1; stall <= 3; ++stall) {
    EXPECT_EQ(claim_one(*queue, 1ms).stalls, stall - 1);
    sweep_one(*queue);
  }
  const JobStatus status = must(queue->status("poison"));
  EXPECT_EQ(status.state, JobState::dead);
  EXPECT_EQ(status.stalls, 3);
  EXPECT_EQ(status.history.size(), 3u);
  EXPECT_EQ(must(queue->dead_letters()).size(), 1u);
}

TEST_P(JobQueueContract, WhatIsGivenBackIsNoAttempt) {
  const auto queue = make();
  put(*queue, {"a", "b", "c"});
  const auto held = claim(*queue, 2);
  EXPECT_EQ(must(queue->give_back(receipts(held))), (std::vector<bool>{true, true}));
  EXPECT_FALSE(must(queue->complete(held[0].receipt())));
  const auto again = claim(*queue, 3);
  const Strings expected = queues_->has_front() ? Strings{"a", "b", "c"} : Strings{"c", "a", "b"};
  const auto got = ids(again);
  EXPECT_EQ(std::set(got.begin(), got.end()), std::set(expected.begin(), expected.end()));
  if (queues_->has_front()) {
    EXPECT_EQ(got, expected);
  }
  for (const auto& job : again) EXPECT_EQ(job.attempt, 1);
}

TEST_P(JobQueueContract, JobsOfAKeyRunOneByOneInOrder) {
  const auto queue = make();
  std::vector<NewJob> jobs;
  for (const char* id : {"a1", "b1", "a2", "a3", "b2"})
    jobs.push_back({.id = id, .max_attempts = 2, .order_key = std::string(1, id[0])});
  must(queue->enqueue(jobs));
  auto first = claim(*queue, 10);
  EXPECT_EQ(ids(first), (Strings{"a1", "b1"}));
  EXPECT_EQ(first[0].order_key, "a");
  EXPECT_EQ(must(queue->counts())[JobState::waiting], 3);
  EXPECT_TRUE(claim(*queue, 10).empty());
  EXPECT_TRUE(must(queue->complete(first[1].receipt())));
  EXPECT_EQ(ids(claim(*queue, 10)), (Strings{"b2"}));
  // A failure holds up those behind it, until the job is dead.
  EXPECT_TRUE(must(queue->fail(first[0].receipt(), "x", 1ms)));
  const LeasedJob again = claim_one(*queue);
  EXPECT_EQ(again.id, "a1");
  EXPECT_TRUE(claim(*queue, 10).empty());
  EXPECT_TRUE(must(queue->fail(again.receipt(), "x", 1ms)));
  EXPECT_EQ(ids(claim(*queue, 10)), (Strings{"a2"}));
  EXPECT_TRUE(must(queue->redrive("a1")));
  EXPECT_TRUE(claim(*queue, 10).empty()) << "redriven jobs join at the end";
}

TEST_P(JobQueueContract, ManyAtOnce) {
  const auto queue = make();
  constexpr std::size_t kJobs = 2500;
  std::vector<NewJob> jobs;
  for (std::size_t i = 0; i < kJobs; ++i) jobs.push_back({.id = fmt::format("job-{}", i)});
  EXPECT_EQ(must(queue->enqueue(jobs)).size(), kJobs);
  EXPECT_EQ(must(queue->counts())[JobState::waiting], static_cast<std::int64_t>(kJobs));
  const auto held = claim(*queue, kJobs);
  ASSERT_EQ(held.size(), kJobs);
  EXPECT_EQ(held.back().id, jobs.back().id);
  for (const bool completed : must(queue->complete(receipts(held)))) EXPECT_TRUE(completed);
  EXPECT_EQ(must(queue->counts())[JobState::completed], static_cast<std::int64_t>(kJobs));
  EXPECT_TRUE(must(queue->enqueue(std::vector<NewJob>{})).empty());
  EXPECT_TRUE(must(queue->complete(std::vector<Receipt>{})).empty());
}

TEST_P(JobQueueContract, OfABatchOnlyWhatIsHeldIsCompleted) {
  const auto queue = make();
  put(*queue, {"a", "b", "c", "d", "e"});
  const auto held = receipts(claim(*queue, 5));
  EXPECT_TRUE(must(queue->complete(held[1])));
  EXPECT_TRUE(must(queue->give_back(held[2])));
  const std::vector<Receipt> batch{held[0], held[1], held[2],      {"d", held[3].epoch + 1},
                                   held[4], held[0], {"nobody", 1}};
  EXPECT_EQ(must(queue->complete(batch)),
            (std::vector<bool>{true, false, false, false, true, false, false}));
  EXPECT_EQ(state(*queue, "c"), JobState::waiting);
  EXPECT_EQ(state(*queue, "d"), JobState::active);
  EXPECT_TRUE(must(queue->complete(held[3])));
  const auto counts = must(queue->counts());
  EXPECT_EQ(counts.at(JobState::completed), 4);
  EXPECT_EQ(counts.at(JobState::active), 0);
}

TEST_P(JobQueueContract, CompletesAndClaimsInOneTurn) {
  const auto queue = make();
  put(*queue, {"a", "b"});
  const auto first = claim(*queue);
  const auto turn =
      must(queue->complete_and_claim(receipts(first), {.worker = "w1", .most = 5, .lease = kLong}));
  EXPECT_EQ(turn.completed, std::vector<bool>{true});
  EXPECT_EQ(ids(turn.claimed), Strings{"b"});
  const auto last = must(queue->complete_and_claim(
      receipts(turn.claimed), {.worker = "w1", .most = 5, .lease = kLong, .wait = 1ms}));
  EXPECT_EQ(last.completed, std::vector<bool>{true});
  EXPECT_TRUE(last.claimed.empty());
}

TEST_P(JobQueueContract, AClaimWaitsForAJob) {
  const auto queue = make();
  EXPECT_TRUE(claim(*queue, 1, kLong, 20ms).empty());
  auto waiting = std::async(std::launch::async, [&] { return claim(*queue, 1, kLong, 20s); });
  put(*queue, {"a"});
  EXPECT_EQ(ids(waiting.get()), Strings{"a"});
  // What fails or is given back wakes a sleeper too.
  auto sleeper = std::async(std::launch::async, [&] { return claim(*queue, 1, kLong, 20s); });
  put(*queue, {"b"});
  EXPECT_EQ(ids(sleeper.get()), Strings{"b"});
}

TEST_P(JobQueueContract, EachJobGoesToOneOfManyWorkers) {
  const auto queue = make();
  constexpr int kWorkers = 4, kJobs = 400;
  std::vector<NewJob> jobs;
  for (int i = 0; i < kJobs; ++i) jobs.push_back({.id = fmt::format("j{}", i)});
  std::mutex mutex;
  std::multiset<std::string> done;
  const auto finished = [&] {
    const std::lock_guard lock(mutex);
    return done.size() >= kJobs;
  };
  std::vector<std::thread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      std::vector<Receipt> held;
      while (!finished()) {
        const auto turn = must(queue->complete_and_claim(
            held, {.worker = fmt::format("w{}", w), .most = 7, .lease = kLong, .wait = 10ms}));
        held = receipts(turn.claimed);
        const std::lock_guard lock(mutex);
        for (const auto& job : turn.claimed) done.insert(job.id);
      }
      for (const bool completed : must(queue->complete(held))) EXPECT_TRUE(completed);
    });
  }
  must(queue->enqueue(jobs));
  for (auto& worker : workers) worker.join();
  EXPECT_EQ(done.size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(std::set(done.begin(), done.end()).size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(must(queue->counts())[JobState::completed], kJobs);
}

TEST_P(JobQueueContract, ForgetsTheOldestCompleted) {
  const auto queue = make(kLong, {.keep_completed = 2});
  put(*queue, {"a", "b", "c"});
  for (int i = 0; i < 3; ++i) must(queue->complete(claim_one(*queue).receipt()));
  must(queue->sweep());
  const auto forgotten = queue->status("a");
  ASSERT_FALSE(forgotten);
  EXPECT_EQ(forgotten.error().code, ErrorCode::not_found);
  EXPECT_EQ(state(*queue, "c"), JobState::completed);
  EXPECT_EQ(must(queue->counts())[JobState::completed], 3);
}

TEST_P(JobQueueContract, RefusesWhatCannotBe) {
  const auto queue = make();
  const auto invalid = [](const auto& result) {
    return !result && result.error().code == ErrorCode::invalid &&
           result.error().happened == Happened::no;
  };
  EXPECT_TRUE(invalid(queue->enqueue({.id = "a:b"})));
  EXPECT_TRUE(invalid(queue->enqueue({.id = "a", .delay = 1s, .order_key = "k"})));
  EXPECT_TRUE(invalid(queue->claim({.worker = "w", .most = 0})));
  EXPECT_TRUE(invalid(queue->claim({.worker = "", .most = 1})));
  if (std::string(GetParam()) == "streams") {
    const auto nobody = queue->claim({.worker = ":", .most = 1});
    EXPECT_TRUE(invalid(nobody));
    EXPECT_NE(nobody.error().message.find("not called :"), std::string::npos);
  }
  EXPECT_FALSE(must(queue->redrive("nobody")));
  EXPECT_EQ(queue->status("nobody").error().code, ErrorCode::not_found);
  EXPECT_FALSE(must(queue->complete(Receipt{"nobody", 1})));
}

}  // namespace
}  // namespace lab::queue
