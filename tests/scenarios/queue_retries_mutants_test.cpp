// Checks of queue_retries that no variant breaks under its usual fault are seen to fail on whole runs: each mutant is a queue
// that lacks one thing, and its workers are processes that work on it. What it is that it lacks, the run must find out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

#include "actors/role.h"
#include "fault_run.h"
#include "observed_queue.h"
#include "servers/server.h"
#include "test_support.h"
#include "unfenced_queue.h"
#include "variants/lease_fenced.h"
#include "world.h"

namespace queue_retries {
namespace {

using namespace std::chrono_literals;
using lab::harness::Backend;
using lab::harness::Verdict;
using lab::queue::JobQueue;
using ::testing::HasSubstr;

/// Takes leases away long after they should have ended: each lasts twenty times as long as its worker asked for. Half of the
/// redeliveries may take a lease, a sweep and a sleep, and what the machine was late at worst: that would have to be seconds.
class LateSwept : public ForwardingQueue {
 public:
  using ForwardingQueue::ForwardingQueue;
  Result<std::vector<LeasedJob>> claim(const Claim& claim) override {
    return queue_.claim(longer(claim));
  }
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override {
    return queue_.complete_and_claim(receipts, longer(claim));
  }
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, lab::Nanos lease) override {
    return queue_.renew(receipts, kTimes * lease);
  }

 private:
  static constexpr int kTimes = 20;
  static Claim longer(Claim claim) {
    claim.lease *= kTimes;
    return claim;
  }
};

/// Says that a lease is renewed.
class NeverRenewed : public ForwardingQueue {
 public:
  using ForwardingQueue::ForwardingQueue;
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, lab::Nanos) override {
    return std::vector<bool>(receipts.size(), true);
  }
};

/// Knows no delay for what failed.
class ImpatientQueue : public ForwardingQueue {
 public:
  using ForwardingQueue::ForwardingQueue;
  Result<std::vector<bool>> fail(std::span<const lab::queue::Failed> failures) override {
    std::vector<lab::queue::Failed> at_once(failures.begin(), failures.end());
    for (auto& failed : at_once) failed.retry_after = {};
    return queue_.fail(at_once);
  }
};

/// Keeps what failed for the first time seconds longer than it was asked to: what a run explains by its own turns and waits
/// would have to be as much.
class LateQueue : public ForwardingQueue {
 public:
  using ForwardingQueue::ForwardingQueue;
  Result<std::vector<bool>> fail(std::span<const lab::queue::Failed> failures) override {
    std::vector<lab::queue::Failed> late(failures.begin(), failures.end());
    for (auto& failed : late) {
      if (failed.receipt.epoch == 1) failed.retry_after += 4s;
    }
    return queue_.fail(late);
  }
};

/// Forgets the jobs for which `forgets` says so, as they are claimed.
class Forgetful : public ForwardingQueue {
 public:
  using Which = bool (*)(const LeasedJob&);
  Forgetful(JobQueue& queue, Which forgets) : ForwardingQueue(queue), forgets_(forgets) {}
  Result<std::vector<LeasedJob>> claim(const Claim& claim) override {
    auto jobs = queue_.claim(claim);
    if (jobs) forget(*jobs);
    return jobs;
  }
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override {
    auto turn = queue_.complete_and_claim(receipts, claim);
    if (turn) forget(turn->claimed);
    return turn;
  }

 private:
  void forget(std::vector<LeasedJob>& jobs) {
    for (const auto& job : jobs) {
      const auto receipt = job.receipt();
      if (forgets_(job)) (void)queue_.complete(std::span(&receipt, 1));
    }
    std::erase_if(jobs, forgets_);
  }
  const Which forgets_;
};

template <class Queue>
std::unique_ptr<JobQueue> make(JobQueue& queue) {
  return std::make_unique<Queue>(queue);
}
std::unique_ptr<JobQueue> forget_what_kills(JobQueue& queue) {
  return std::make_unique<Forgetful>(
      queue, [](const lab::queue::LeasedJob& job) { return job.stalls == kMaxStalls; });
}
std::unique_ptr<JobQueue> forget_some(JobQueue& queue) {
  return std::make_unique<Forgetful>(
      queue, [](const lab::queue::LeasedJob& job) { return number_of(job.id) % 50 == 7; });
}

struct Mutant {
  std::string lacks;
  std::unique_ptr<JobQueue> (*around)(JobQueue&);
  std::string fault, breaks;
  /// So that it is found out on a slow machine too.
  void (*adjust)(Sizes&) = [](Sizes&) {};
  Store store = Store::leases;
};

/// The workers are behind with their work, so that whoever is stopped has a whole batch in hand; and a pause is long enough
/// for three more sweeps after the one that has to come.
void always_busy(Sizes& sizes) {
  sizes.takes = 20ms;
  sizes.sweep_every = 150ms;
  sizes.pauses = 2;  // after them nothing is left to do
}
/// Nor any that comes again and again: a lease is long here.
void few_deaths(Sizes& sizes) {
  sizes.kills = 8;
  sizes.jobs.poison = 0;
}
/// The check cannot tell when the machine stood still for a third of it.
void long_lease(Sizes& sizes) {
  sizes.lease = 1200ms;
  sizes.jobs = {.load = 10, .poison = 0, .herd = 0, .slow = 1};
}
/// It takes longer than the retry is late.
void a_long_job(Sizes& sizes) {
  sizes.jobs.slow = 1;
}

const std::vector<Mutant> kMutants{
    {"a_fence", make<UnfencedQueue>, kWorkerPause, "late-completion-rejected", always_busy},
    {"a_sweep_in_time", make<LateSwept>, kWorkerKill, "redelivered-in-time", few_deaths},
    {"a_heartbeat", make<NeverRenewed>, "none", "heartbeat-keeps-lease", long_lease},
    {"a_backoff", make<ImpatientQueue>, "none", "retry-within-backoff"},
    {"a_retry_in_time", make<LateQueue>, "none", "retry-within-backoff"},
    {"a_grave", forget_what_kills, "none", "poison-buried"},
    {"a_memory", forget_some, "none", "no-job-lost"},
};
const std::vector<Mutant> kBrokerMutants{
    {.lacks = "a_memory_in_the_broker",
     .around = forget_some,
     .fault = "none",
     .breaks = "no-job-lost",
     .store = Store::broker},
    {.lacks = "a_retry_in_time_in_the_broker",
     .around = make<LateQueue>,
     .fault = "none",
     .breaks = "retry-within-backoff",
     .adjust = a_long_job,
     .store = Store::broker},
};

Recipe recipe_of(const Mutant& mutant) {
  return {.variant = mutant.lacks,
          .store = mutant.store,
          .make = [](Tools tools) { return std::make_unique<LeaseFenced>(std::move(tools)); },
          .around = mutant.around};
}

std::vector<Recipe> recipes() {
  std::vector<Recipe> all;
  for (const auto* mutants : {&kMutants, &kBrokerMutants}) {
    for (const auto& mutant : *mutants) all.push_back(recipe_of(mutant));
  }
  return all;
}

void expect_found_out(const Mutant& mutant, const lab::harness::TrialReport& report) {
  for (const auto& [check, result] : report.checks) {
    if (check != mutant.breaks) continue;
    EXPECT_EQ(result.verdict, Verdict::violated) << mutant.lacks << ": " << result.witness;
    return;
  }
  ADD_FAILURE() << mutant.breaks << " was not judged";
}

/// One after the other on the same servers and under the same fault. Of what comes after the load there is only what a mutant
/// asks for.
void expect_found_out(std::span<const Mutant> mutants, Backend backend) {
  lab::harness::RunPlan plan;
  plan.flags.quick = true;
  plan.backend = backend;
  plan.fault = mutants.front().fault;
  plan.timing = timing(plan.flags);
  for (const auto& mutant : mutants) plan.flags.variants.push_back(mutant.lacks);
  lab::harness::EventStream events;
  const auto adjust = [&](const std::string& variant, Sizes& sizes) {
    sizes.jobs.herd = sizes.jobs.slow = 0;
    for (const auto& mutant : mutants) {
      if (mutant.lacks == variant) mutant.adjust(sizes);
    }
  };
  const auto world = open_world(plan, events, recipes(), adjust);
  for (const auto& mutant : mutants) {
    lab::harness::Variant variant;
    variant.name = mutant.lacks;
    expect_found_out(mutant, world->trial(variant, events));
  }
}

class SystemMutants : public ::testing::TestWithParam<Mutant> {};

TEST_P(SystemMutants, IsFoundOut) {
  expect_found_out({&GetParam(), 1}, Backend::embedded);
}
INSTANTIATE_TEST_SUITE_P(Lacks, SystemMutants, ::testing::ValuesIn(kMutants),
                         [](const auto& mutant) { return mutant.param.lacks; });

/// Nobody can ask a broker about a job: one that it forgot is missed because nothing is left, and it is not among the dead. And
/// it hands jobs out ahead, so that a slow one may hold up others: that excuses no job that waits for its retry.
TEST(BrokerMutants, EachIsFoundOut) {
  LAB_NEEDS(lab::servers::find_rabbitmq());
  LAB_NEEDS(lab::servers::find_redis());
  LAB_NEEDS(lab::servers::find_mariadb());
  expect_found_out(kBrokerMutants, Backend::real);
}

}  // namespace
}  // namespace queue_retries

int main(int argc, char** argv) {
  using namespace queue_retries;
  if (lab::actors::role_of(argc, argv) == kWorkerRole) return worker_main(recipes());
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
