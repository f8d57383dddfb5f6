// thread_pools: "Hash 10,000 passwords without freezing the API."
//
// The scenario as a table of contents: its variants with what each promises, its faults, its checks.

#include "actors/role.h"
#include "checks.h"
#include "harness/scenario.h"
#include "scripts.h"
#include "speed.h"
#include "world.h"

using namespace thread_pools;
using lab::harness::Promise;
using lab::harness::Scenario;

namespace {

std::string source(const std::string& variant) {
  return "scenarios/thread_pools/variants/" + variant + ".h";
}

/// Without a fault logins come slowly enough that even a loop that hashes may keep up.
const std::vector<std::string> kStorms{kBurst, kThrowing, kBlocking, kShutdown};

/// A worker that missed the bell makes each of these fail or not, as chance will have it.
Promise loses_wake_ups() {
  Promise promise = Promise::must_break(kNoLostWakeUp);
  for (const char* check :
       {kRunsOnce, kBounded, kExceptionArrives, kNothingAfter, kNotFrozen, kNestedWaitEnds})
    promise.silent_on(check);
  return promise;
}

std::vector<lab::harness::Variant> variants() {
  return {
      {"inline", Promise::must_break(kNotFrozen, kStorms).silent_on(kNotFrozen, {kNone}),
       "the control: no pool, whoever has a task does it", source("inline_call"),
       "run_safely(own)"},
      {"thread_per_task",
       Promise::must_break(kBounded)
           .also_breaks(kExceptionArrives)
           .also_breaks(kNothingAfter)
           .also_breaks(kRunsOnce)
           .silent_on(kNotFrozen),
       "naive: a thread for each task, and nobody keeps count", source("thread_per_task"),
       "and forgotten"},
      {"wait_without_predicate", loses_wake_ups(),
       "workers and a bounded queue; a worker waits without looking first",
       source("wait_without_predicate"), "no predicate"},
      {"mutex_queue_pool", Promise::must_hold(), "looks, and then waits, under one lock",
       source("mutex_queue_pool"), "bell_.wait(lock, "},
      {"nested_wait", Promise::must_break(kNestedWaitEnds),
       "the same pool, and a task that waits in its worker for another task", source("nested_wait"),
       "occupies the worker"},
      {"asio_thread_pool", Promise::must_hold(),
       "Boost.Asio's thread_pool, and a count for its limit", source("asio_thread_pool"),
       "boost::asio::post"},
      {"tbb_arena", Promise::must_hold(), "oneTBB's task_arena: work stealing by a library",
       source("tbb_arena"), "arena_.enqueue"},
      {"tbb_flow", Promise::must_hold(), "oneTBB's flow graph: a limiter, then the workers",
       source("tbb_flow"), "limiter.try_put"},
      {"stealing_pool", Promise::must_hold(),
       "a batch at a time, one wake-up at a time, and idle workers steal", source("stealing_pool"),
       "desks_.fill(own)"},
  };
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "thread-pools";
  scenario.question = "Hash 10,000 passwords without freezing the API.";
  scenario.variants = variants();
  scenario.faults = {
      {kBurst, "logins come all at once, more than the queue holds"},
      {kThrowing, "the same, and every fourth login throws"},
      {kBlocking, "the same, and as many logins as there are workers block for 50 ms"},
      {kShutdown, "the pool is shut down amid the logins, and gives back what has not begun"},
      {kNone, "logins come as half of the cores could do them: the baseline"},
  };
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "empty_task_ns";
  scenario.naive = "inline";
  scenario.lesson = "the loop does the work itself, and everyone else waits for its whole length";
  scenario.next = "./lab run thread-pools --fault blocking-tasks   (when the work only waits)";
  scenario.timing = timing;
  scenario.open = open_world;
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = lab::actors::role_of(argc, argv);
  if (role == kScriptRole) return script_main();
  if (role == kRoundRole) return round_main();
  return lab::harness::run_main(scenario(), argc, argv);
}
