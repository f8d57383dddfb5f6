// The job queue in RabbitMQ: what it promises of job_queue.h, and where it says that it differs. One broker for all tests.
#include "queue/rabbit_queue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <set>

#include "support.h"

namespace lab::queue {
namespace {

using lab::test::eventually;
using lab::test::must;
using Strings = std::vector<std::string>;

servers::RabbitServer& broker() {
  static const auto one = must(lab::test::supervisor().rabbitmq());
  return *one;
}

class RabbitQueueContract : public ::testing::Test {
 protected:
  void SetUp() override {
    LAB_NEEDS(servers::find_rabbitmq());
    name = fmt::format("q{}", ++count);
    queue = make();
  }

  /// Another worker's, on a connection of its own.
  std::unique_ptr<RabbitQueue> make(QueueRules rules = {.max_stalls = 2}) const {
    return std::make_unique<RabbitQueue>(infra::AmqpAddress{.port = broker().port(),
                                                            .user = broker().user(),
                                                            .password = broker().password(),
                                                            .vhost = broker().vhost()},
                                         RabbitQueueOptions{.name = name, .rules = rules});
  }

  static std::vector<LeasedJob> claim(JobQueue& from, std::size_t most = 1, Nanos wait = {}) {
    return must(from.claim({.worker = "w1", .most = most, .wait = wait}));
  }
  static LeasedJob claim_one(JobQueue& from) {
    auto jobs = claim(from, 1, 10s);
    if (jobs.size() != 1) throw std::runtime_error("there should have been a job");
    return jobs.front();
  }

  std::string name;
  std::unique_ptr<JobQueue> queue;
  static inline int count = 0;
};

Strings ids(const std::vector<LeasedJob>& jobs) {
  Strings all;
  for (const auto& job : jobs) all.push_back(job.id);
  return all;
}

std::vector<Receipt> receipts(const std::vector<LeasedJob>& jobs) {
  std::vector<Receipt> all;
  for (const auto& job : jobs) all.push_back(job.receipt());
  return all;
}

TEST_F(RabbitQueueContract, AJobIsClaimedAndCompletedOnce) {
  const std::string odd = "\r\n'\"\\ÿ|\x7f{}";
  EXPECT_TRUE(must(queue->enqueue({.id = "a", .payload = odd})).added);
  EXPECT_EQ(must(queue->counts())[JobState::waiting], 1);
  const LeasedJob job = claim_one(*queue);
  EXPECT_EQ(job.id, "a");
  EXPECT_EQ(job.payload, odd);
  EXPECT_EQ(job.attempt, 1);
  EXPECT_EQ(job.max_attempts, 5);
  EXPECT_EQ(job.epoch, 1);
  EXPECT_EQ(must(queue->renew(std::vector{job.receipt()}, 1s)), std::vector<bool>{true});
  EXPECT_TRUE(must(queue->complete(job.receipt())));
  EXPECT_FALSE(must(queue->complete(job.receipt()))) << "only once";
  EXPECT_FALSE(must(queue->complete(Receipt{"nobody", 1})));
  EXPECT_TRUE(claim(*queue).empty());
}

TEST_F(RabbitQueueContract, MakesIdsOfItsOwn) {
  const auto made = must(queue->enqueue(std::vector<NewJob>{{.payload = "x"}, {.payload = "x"}}));
  EXPECT_NE(made[0].id, made[1].id);
  EXPECT_EQ(ids(claim(*queue, 10, 5s)), (Strings{made[0].id, made[1].id}));
}

TEST_F(RabbitQueueContract, ADelayedJobIsNeverEarlyAndDelaysDoNotHoldUpEachOther) {
  const Instant asked = now();
  must(queue->enqueue(
      std::vector<NewJob>{{.id = "later", .delay = 250ms}, {.id = "sooner", .delay = 60ms}}));
  EXPECT_TRUE(claim(*queue).empty());
  EXPECT_EQ(claim_one(*queue).id, "sooner");
  EXPECT_GE(now() - asked, 60ms);
  EXPECT_EQ(claim_one(*queue).id, "later");
  EXPECT_GE(now() - asked, 250ms);
}

TEST_F(RabbitQueueContract, AFailedJobComesBackAndDiesOfItsLastAttempt) {
  must(queue->enqueue({.id = "a", .payload = "mail", .max_attempts = 2}));
  const LeasedJob first = claim_one(*queue);
  const Instant failed = now();
  EXPECT_TRUE(must(queue->fail(first.receipt(), "550 no such user", 60ms)));
  EXPECT_FALSE(must(queue->fail(first.receipt(), "again", 60ms)));
  const LeasedJob second = claim_one(*queue);
  EXPECT_GE(now() - failed, 60ms);
  EXPECT_EQ(second.attempt, 2);
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_TRUE(must(queue->fail(second.receipt(), "550 still none", 60ms)));
  EXPECT_TRUE(claim(*queue).empty());
  EXPECT_EQ(must(queue->counts())[JobState::dead], 1);
  const auto letters = must(queue->dead_letters());
  ASSERT_EQ(letters.size(), 1u);
  const auto& status = letters[0].status;
  EXPECT_EQ(letters[0].id, "a");
  EXPECT_EQ(letters[0].payload, "mail");
  EXPECT_EQ(status.state, JobState::dead);
  EXPECT_EQ(status.attempts, 2);
  EXPECT_EQ(status.stalls, 0);
  EXPECT_EQ(status.last_error, "550 still none");
  ASSERT_EQ(status.history.size(), 2u);
  EXPECT_EQ(status.history[0].error, "550 no such user");
  EXPECT_EQ(status.history[0].worker, "w1");
  EXPECT_EQ(must(queue->dead_letters()).size(), 1u) << "looking takes nothing away";
}

TEST_F(RabbitQueueContract, ARedrivenJobKeepsItsId) {
  for (const char* id : {"a", "b"}) {
    must(queue->enqueue({.id = id, .payload = "mail", .max_attempts = 1}));
    must(queue->fail(claim_one(*queue).receipt(), "no", {}));
  }
  EXPECT_TRUE(must(queue->redrive("b")));
  EXPECT_FALSE(must(queue->redrive("b"))) << "it is not dead any more";
  EXPECT_EQ(must(queue->dead_letters()).front().id, "a");
  const LeasedJob again = claim_one(*queue);
  EXPECT_EQ(again.id, "b");
  EXPECT_EQ(again.attempt, 1);
  EXPECT_GT(again.epoch, 1);
  EXPECT_TRUE(must(queue->complete(again.receipt())));
}

TEST_F(RabbitQueueContract, WhatADeadWorkerHeldIsRedeliveredAtOnceAndItIsRejected) {
  auto late = make();
  must(queue->enqueue({.id = "a"}));
  const LeasedJob lost = claim_one(*late);
  late.reset();
  const LeasedJob taken = claim_one(*queue);
  EXPECT_EQ(taken.id, "a");
  EXPECT_EQ(taken.stalls, 1);
  EXPECT_EQ(taken.attempt, 1);
  EXPECT_GT(taken.epoch, lost.epoch);
  EXPECT_FALSE(must(queue->complete(lost.receipt()))) << "of the earlier claim";
  EXPECT_TRUE(must(queue->complete(taken.receipt())));
}

TEST_F(RabbitQueueContract, AWorkerThatIsSilentLosesItsJobs) {
  const auto silent = make();
  must(queue->enqueue({.id = "a"}));
  const LeasedJob lost = claim_one(*silent);
  const auto taken = claim(*queue, 1, 30s);
  ASSERT_EQ(ids(taken), Strings{"a"});
  EXPECT_FALSE(must(silent->complete(lost.receipt())));
  EXPECT_TRUE(must(queue->complete(taken[0].receipt())));
}

TEST_F(RabbitQueueContract, AJobThatLosesItsWorkersIsBuried) {
  must(queue->enqueue({.id = "poison"}));
  for (int stall = 0; stall <= 2; ++stall) {
    auto victim = make();
    EXPECT_EQ(claim_one(*victim).stalls, stall);
  }
  ASSERT_TRUE(eventually(10s, [&] { return must(queue->counts())[JobState::dead] == 1; }));
  const auto letters = must(queue->dead_letters());
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].id, "poison");
  EXPECT_EQ(letters[0].status.stalls, 3);
  EXPECT_EQ(letters[0].status.attempts, 0);
  EXPECT_EQ(letters[0].status.history.back().what, "stalled");
  EXPECT_TRUE(must(queue->redrive("poison")));
  EXPECT_GT(claim_one(*queue).epoch, 3);
}

/// Two messages of one job on one connection: neither is forgotten, nor is one acknowledged in the other's place.
TEST_F(RabbitQueueContract, TwoCopiesOfAJobAreTwoJobs) {
  must(queue->enqueue(std::vector<NewJob>{{.id = "a"}, {.id = "b"}, {.id = "a"}}));
  std::vector<LeasedJob> held;
  while (held.size() < 3) held.push_back(claim_one(*queue));
  ASSERT_EQ(ids(held), (Strings{"a", "b", "a"}));
  EXPECT_TRUE(must(queue->complete(held[0].receipt())));
  EXPECT_EQ(must(queue->renew(receipts(held), 1s)), (std::vector<bool>{true, true, true}))
      << "the other copy of a is still held";
  EXPECT_TRUE(must(queue->complete(held[2].receipt())));
  EXPECT_FALSE(must(queue->complete(held[2].receipt())));
  queue.reset();
  const auto other = make();
  EXPECT_EQ(claim_one(*other).id, "b") << "the only one that was not acknowledged";
  EXPECT_TRUE(claim(*other).empty());
}

/// The second claim of one copy has another epoch: a receipt speaks for that copy only.
TEST_F(RabbitQueueContract, CopiesOfDifferentEpochsAreNotConfused) {
  must(queue->enqueue({.id = "a"}));
  auto victim = make();
  claim_one(*victim);
  victim.reset();
  const LeasedJob second = claim_one(*queue);
  must(queue->enqueue({.id = "a"}));
  const LeasedJob first = claim_one(*queue);
  ASSERT_NE(first.epoch, second.epoch);
  EXPECT_TRUE(must(queue->complete(second.receipt())));
  EXPECT_TRUE(must(queue->complete(first.receipt())));
  queue.reset();
  EXPECT_TRUE(claim(*make()).empty()) << "both were acknowledged";
}

TEST_F(RabbitQueueContract, ALetterThatNobodyGaveAReasonForHasNone) {
  must(queue->enqueue({.id = "a", .payload = "mail"}));
  auto amqp = must(infra::Amqp::connect({.port = broker().port(),
                                         .user = broker().user(),
                                         .password = broker().password(),
                                         .vhost = broker().vhost()}));
  must(amqp->publish(
      {.routing_key = name + ".dead",
       .id = "b",
       .headers = {{"lab-attempt", std::int64_t{2}}, {"lab-max-attempts", std::int64_t{5}}}}));
  const auto letters = must(queue->dead_letters());
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].status.attempts, 1);
  EXPECT_EQ(letters[0].status.stalls, 0) << "it did not come back too often";
  EXPECT_TRUE(letters[0].status.history.empty());
}

TEST_F(RabbitQueueContract, WhatIsGivenBackIsNoAttempt) {
  for (const char* id : {"a", "b", "c"}) must(queue->enqueue({.id = id}));
  const auto held = claim(*queue, 2, 5s);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(must(queue->give_back(receipts(held))), (std::vector<bool>{true, true}));
  EXPECT_FALSE(must(queue->complete(held[0].receipt())));
  std::multiset<std::string> got;
  while (got.size() < 3) {
    const LeasedJob job = claim_one(*queue);
    EXPECT_EQ(job.attempt, 1);
    got.insert(job.id);
  }
  EXPECT_EQ(got, (std::multiset<std::string>{"a", "b", "c"}));
}

TEST_F(RabbitQueueContract, ManyAtOnce) {
  constexpr std::size_t kJobs = 1000;
  std::vector<NewJob> jobs;
  for (std::size_t i = 0; i < kJobs; ++i) jobs.push_back({.id = fmt::format("job-{}", i)});
  EXPECT_EQ(must(queue->enqueue(jobs)).size(), kJobs);
  std::size_t done = 0;
  while (done < kJobs) {
    const auto turn = must(queue->complete_and_claim({}, {.worker = "w", .most = 64, .wait = 5s}));
    ASSERT_FALSE(turn.claimed.empty());
    for (const bool ok : must(queue->complete(receipts(turn.claimed)))) EXPECT_TRUE(ok);
    done += turn.claimed.size();
  }
  EXPECT_TRUE(must(queue->enqueue(std::vector<NewJob>{})).empty());
  EXPECT_TRUE(must(queue->complete(std::vector<Receipt>{})).empty());
}

TEST_F(RabbitQueueContract, AClaimWaitsForAJobAndLetsOthersIn) {
  EXPECT_TRUE(claim(*queue, 1, 20ms).empty());
  auto waiting = std::async(std::launch::async, [&] { return claim(*queue, 1, 20s); });
  must(queue->enqueue({.id = "a"}));
  EXPECT_EQ(ids(waiting.get()), Strings{"a"});
}

TEST_F(RabbitQueueContract, SurvivesTheDeathOfTheBroker) {
  must(queue->enqueue({.id = "a"}));
  must(queue->enqueue({.id = "later", .delay = 100ms}));
  ASSERT_TRUE(eventually(10s, [&] { return must(queue->counts())[JobState::waiting] == 2; }));
  // RabbitMQ 3.10 writes down which quorum queues there are with half a second of delay.
  const auto names = broker().folder() / "data/lab@localhost/quorum/lab@localhost/names.dets";
  ASSERT_TRUE(eventually(
      5s, [&] { return lab::test::text_of(names).find("lab_" + name) != std::string::npos; }));
  const LeasedJob held = claim_one(*queue);
  must(broker().restart());
  EXPECT_FALSE(must(queue->complete(held.receipt()))) << "the connection was its lease";
  std::set<std::string> got;
  while (got.size() < 2) {
    const LeasedJob job = claim_one(*queue);
    EXPECT_TRUE(must(queue->complete(job.receipt())));
    got.insert(job.id);
  }
  EXPECT_EQ(got, (std::set<std::string>{"a", "later"}));
}

/// Killed while what has expired is on its way from the delay queue.
TEST_F(RabbitQueueContract, ADelayedJobSurvivesTheDeathOfTheBrokerOnItsWay) {
  constexpr Nanos kDelay = 200ms;
  must(make()->prepare(kDelay));
  std::vector<NewJob> jobs;
  for (int i = 0; i < 2000; ++i) jobs.push_back({.id = fmt::format("job-{}", i), .delay = kDelay});
  must(queue->enqueue(jobs));
  const auto arrived = [&] { return must(queue->counts())[JobState::waiting]; };
  ASSERT_TRUE(eventually(10s, [&] { return arrived() > 0; }));
  must(broker().restart());
  std::set<std::string> got;
  while (got.size() < jobs.size()) {
    const auto claimed = claim(*queue, 100, 20s);
    ASSERT_FALSE(claimed.empty()) << got.size() << " of " << jobs.size();
    for (const auto& job : claimed) got.insert(job.id);
    must(queue->complete(receipts(claimed)));
  }
}

TEST_F(RabbitQueueContract, SaysWhatItCannotDo) {
  const auto invalid = [](const auto& result) {
    return !result && result.error().code == ErrorCode::invalid &&
           result.error().happened == Happened::no;
  };
  EXPECT_TRUE(invalid(queue->enqueue({.id = "a:b"})));
  EXPECT_TRUE(invalid(queue->enqueue({.id = "a", .priority = Priority::high})));
  EXPECT_TRUE(invalid(queue->enqueue({.id = "a", .order_key = "k"})));
  EXPECT_TRUE(invalid(queue->claim({.worker = "w", .most = 0})));
  EXPECT_TRUE(invalid(queue->status("a")));
  EXPECT_TRUE(invalid(queue->progress({"a", 1}, 50)));
  EXPECT_FALSE(must(queue->redrive("nobody")));
  EXPECT_EQ(must(queue->sweep()), 0u);
}

}  // namespace
}  // namespace lab::queue
