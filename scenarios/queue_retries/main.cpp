// queue_retries: "The e-mail provider fails one call in five and workers crash. Prove that nothing is lost and nothing
// is sent twice."
//
// The scenario as a table of contents: its variants with what each promises, its faults, its checks.

#include "actors/role.h"
#include "checks.h"
#include "fault_run.h"
#include "unfenced_queue.h"
#include "variants/ack_first.h"
#include "variants/lease_fenced.h"
#include "variants/pop_and_work.h"
#include "variants/rabbitmq_confirmed.h"
#include "variants/reliable_lease.h"
#include "variants/streams_group.h"
#include "world.h"

using namespace queue_retries;
using lab::harness::Promise;
using lab::harness::Scenario;
using lab::queue::Backoff;

namespace {

/// Under these a job in hand may be lost or not, as chance will have it.
const std::vector<std::string> kBroker{"broker-kill", "broker-pause", "broker-reset"};
/// And here the poison, which kills one worker under any fault, was taken in a batch with others or alone.
const std::vector<std::string> kBatchMates{"broker-kill", "broker-pause", "broker-reset",
                                           kWorkerPause, "none"};
/// Most of what a queue promises of each job is about jobs that it still has.
const std::vector<std::string> kAmnesia{kBrokerKillVolatile};

std::string source(const std::string& variant) {
  return "scenarios/queue_retries/variants/" + variant + ".h";
}

/// What every queue that keeps its jobs until they are done promises.
Promise keeps() {
  return Promise::must_hold()
      .also_breaks("no-job-lost", kAmnesia)
      .silent_on("attempts-within-limit", kAmnesia)
      .silent_on("poison-buried", kAmnesia)
      .silent_on("late-completion-rejected", kAmnesia)
      .silent_on("redelivered-in-time", {"worker-pause", "broker-kill", kBrokerKillVolatile,
                                         "broker-pause", "broker-reset", "none"});
}

std::vector<lab::harness::Variant> variants() {
  return {
      {"pop_and_work",
       Promise::must_break("no-job-lost", {"worker-kill", kBrokerKillVolatile})
           .also_breaks("delayed-never-early")
           .silent_on("no-job-lost", kBatchMates)
           .silent_on("one-effect-per-job", kBroker),
       "naive: what was popped exists in the worker's memory only", source("pop_and_work"),
       "loses them"},
      {"ack_first",
       Promise::must_break("no-job-lost", {"worker-kill", kBrokerKillVolatile})
           .silent_on("no-job-lost", kBatchMates)
           .silent_on("one-effect-per-job", kBroker)
           .silent_on("late-completion-rejected", kAmnesia),
       "a queue with books, told too early that the job is done", source("ack_first"), "too early"},
      {"reliable_lease",
       keeps()
           .also_breaks("one-effect-per-job", {"worker-kill", "worker-pause"})
           .silent_on("one-effect-per-job",
                      {"broker-kill", kBrokerKillVolatile, "broker-pause", "broker-reset", "none"})
           .also_breaks("late-completion-rejected", {kWorkerPause})
           .silent_on("late-completion-rejected",
                      {kWorkerKill, "broker-kill", "broker-pause", "broker-reset", "none"})
           .also_breaks("retries-spread"),
       "the job stays in the queue, under a lease, until it is done", source("reliable_lease"),
       "not for the first time?"},
      {"lease_fenced", keeps(), "completions fenced by epoch, effects idempotent by key, jitter",
       source("lease_fenced"), "send_once"},
      {"streams_group", keeps(), "the same on a Redis stream and its consumer group",
       source("streams_group"), "that decide"},
      {"rabbitmq_confirmed",
       keeps()
           // Whoever asks again does not know whether there is a first copy: two of a job are possible.
           .silent_on("late-completion-rejected", {kWorkerKill, "broker-kill", "broker-reset"})
           .silent_on("retry-within-backoff", {kWorkerKill, "broker-kill", "broker-reset"})
           // The connection is the lease, and the fault takes it.
           .silent_on("heartbeat-keeps-lease", kBroker),
       "confirmed messages in RabbitMQ; the connection is the lease", source("rabbitmq_confirmed"),
       "What decides"},
  };
}

template <class Worker>
std::unique_ptr<JobWorker> make(Tools tools) {
  return std::make_unique<Worker>(std::move(tools));
}

std::unique_ptr<lab::queue::JobQueue> unfenced(lab::queue::JobQueue& queue) {
  return std::make_unique<UnfencedQueue>(queue);
}

std::vector<Recipe> recipes() {
  return {
      {"pop_and_work", Store::list, Backoff::none, make<PopAndWork>, false},
      {"ack_first", Store::leases, Backoff::fixed, make<AckFirst>, false},
      {"reliable_lease", Store::leases, Backoff::exponential, make<ReliableLease>, true, unfenced},
      {"lease_fenced", Store::leases, Backoff::jitter, make<LeaseFenced>},
      {"streams_group", Store::streams, Backoff::jitter, make<StreamsGroup>},
      {"rabbitmq_confirmed", Store::broker, Backoff::jitter, make<RabbitmqConfirmed>},
  };
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "queue-retries";
  scenario.question =
      "The e-mail provider fails one call in five and workers crash. Prove that nothing is lost "
      "and "
      "nothing is sent twice.";
  scenario.needs = {"redis", "sql"};
  scenario.variants = variants();
  scenario.faults = {
      {kWorkerKill, "workers are killed with -9, at named points of a job's life and at random"},
      {kWorkerPause, "workers are stopped (SIGSTOP) for longer than their lease, and go on"},
      {"broker-kill", "the broker is killed with -9 and comes back with what it had written down"},
      {kBrokerKillVolatile, "Redis is killed without an append-only file: it comes back empty"},
      {"broker-pause", "the broker is stopped (SIGSTOP): connects succeed, answers do not come"},
      {"broker-reset", "every connection to the broker is reset, twice"},
      {"none", "nothing happens: the baseline"},
  };
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "drained_per_second";
  scenario.naive = "pop_and_work";
  scenario.lesson = "the list forgets a job before it is done, and nobody else remembers it";
  scenario.next =
      "./lab run queue-retries --fault worker-pause   (a worker that is late, not dead)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  if (lab::actors::role_of(argc, argv) == kWorkerRole) return worker_main(recipes());
  return lab::harness::run_main(scenario(), argc, argv);
}
