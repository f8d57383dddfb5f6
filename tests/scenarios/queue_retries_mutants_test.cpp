// Checks of queue_retries that no variant breaks under its usual fault are seen to fail on whole runs: each mutant is a queue
// that lacks one thing, and its workers are processes that work on it. What it is that it lacks, the run must find out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

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

/// Looks for expired leases once in so long a time.
class SeldomSwept : public ForwardingQueue {
 public:
  using ForwardingQueue::ForwardingQueue;
  Result<std::size_t> sweep(std::size_t most) override {
    const auto beat = lab::now().time_since_epoch() / 700ms;
    return last_.exchange(beat) == beat ? Result<std::size_t>(0) : queue_.sweep(most);
  }

 private:
  std::atomic<std::int64_t> last_{0};
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
  Store store = Store::leases;
};

const std::vector<Mutant> kMutants{
    {"a_fence", make<UnfencedQueue>, kWorkerPause, "late-completion-rejected"},
    {"a_sweep_in_time", make<SeldomSwept>, kWorkerKill, "redelivered-in-time"},
    {"a_heartbeat", make<NeverRenewed>, "none", "heartbeat-keeps-lease"},
    {"a_backoff", make<ImpatientQueue>, "none", "retry-within-backoff"},
    {"a_grave", forget_what_kills, "none", "poison-buried"},
    {"a_memory", forget_some, "none", "no-job-lost"},
};
const std::vector<Mutant> kBrokerMutants{
    {"a_memory_in_the_broker", forget_some, "none", "no-job-lost", Store::broker},
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

lab::harness::TrialReport run(const Mutant& mutant, Backend backend) {
  lab::harness::RunPlan plan;
  plan.flags.quick = true;
  plan.flags.variants = {mutant.lacks};
  plan.backend = backend;
  plan.fault = mutant.fault;
  plan.timing = timing(plan.flags);
  lab::harness::EventStream events;
  const auto world = open_world(plan, events, {recipe_of(mutant)});
  lab::harness::Variant variant;
  variant.name = mutant.lacks;
  return world->trial(variant, events);
}

void expect_found_out(const Mutant& mutant, Backend backend) {
  const auto report = run(mutant, backend);
  for (const auto& [check, result] : report.checks) {
    if (check != mutant.breaks) continue;
    EXPECT_EQ(result.verdict, Verdict::violated) << mutant.lacks << ": " << result.witness;
    return;
  }
  ADD_FAILURE() << mutant.breaks << " was not judged";
}

TEST(SystemMutants, EachIsFoundOut) {
  for (const auto& mutant : kMutants) expect_found_out(mutant, Backend::embedded);
}

/// Nobody can ask a broker about a job: it is missed because nothing is left, and it is not among the dead.
TEST(SystemMutants, AMessageThatABrokerForgotIsMissed) {
  LAB_NEEDS(lab::servers::find_rabbitmq());
  LAB_NEEDS(lab::servers::find_redis());
  LAB_NEEDS(lab::servers::find_mariadb());
  for (const auto& mutant : kBrokerMutants) expect_found_out(mutant, Backend::real);
}

}  // namespace
}  // namespace queue_retries

int main(int argc, char** argv) {
  using namespace queue_retries;
  if (lab::actors::role_of(argc, argv) == kWorkerRole) return worker_main(recipes());
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
