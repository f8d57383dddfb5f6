// blocking_vs_async_io: "Ten thousand clients connect and most are slow."
//
// The scenario as a table of contents: its variants with what each promises, what happens to them, the checks.

#include "actors/role.h"
#include "checks.h"
#include "servers.h"
#include "workers.h"
#include "world.h"

using namespace blocking_vs_async_io;
using lab::harness::Promise;
using lab::harness::Scenario;

namespace {

std::string source(const std::string& variant) {
  return "scenarios/blocking_vs_async_io/variants/" + variant + ".h";
}

std::vector<lab::harness::Variant> variants() {
  return {
      {"thread_per_connection",
       // With enough threads the scheduler decides who has the processor, and nothing is promised about that.
       Promise::must_hold().silent_on("slow-peers-isolated"),
       "a thread for each connection, which waits for its peer alone",
       source("thread_per_connection"), "std::thread("},
      {"fixed_blocking_pool",
       Promise::must_break("served-beside-slow-peers").also_breaks("slow-peers-isolated"),
       "P threads for all connections; a slow peer keeps one", source("fixed_blocking_pool"),
       "setMaxThreads"},
      {"async_callbacks", Promise::must_hold(),
       "one thread, one event loop; each step is a callback of the one before",
       source("async_callbacks"), "async_wait"},
      {"async_coroutines", Promise::must_hold(),
       "the same loop; the conversation reads like the blocking one", source("async_coroutines"),
       "co_await read()"},
      {"async_multi", Promise::must_hold(), "a loop for each core, all on one port (SO_REUSEPORT)",
       source("async_multi"), "loops.back()->listen(port)"},
      {"async_happy_path",
       Promise::must_break("bytes-echoed")
           .also_breaks("survives-exhaustion")
           .also_breaks("stalled-reader-bounded")
           .also_breaks("descriptors-return")
           .silent_on("slow-peers-isolated"),  // as async_callbacks; once is enough
       "the tutorial's event loop: each call does all of its work, and nothing fails",
       source("async_happy_path"), "have the answers before been taken"},
      {"async_but_blocks",
       Promise::must_break("slow-call-is-its-own").silent_on("slow-peers-isolated"),
       "the classic mistake: one call on the loop that waits", source("async_but_blocks"),
       "sleep_for(kSlowCall)"},
      {"async_offload", Promise::must_hold(), "the same call, moved to a pool of threads",
       source("async_offload"), "asio::post(pool"},
      {"multi_process", Promise::must_hold(), "a process for each core, all on one port",
       source("multi_process"), "Workers workers"},
  };
}

std::vector<Recipe> recipes() {
  return {
      {"thread_per_connection", served::thread_per_connection},
      {"fixed_blocking_pool", served::fixed_blocking_pool},
      {"async_callbacks", served::async_callbacks},
      {"async_coroutines", served::async_coroutines},
      {"async_multi", served::async_multi},
      {"async_happy_path", served::async_happy_path},
      {"async_but_blocks", served::async_but_blocks},
      {"async_offload", served::async_offload},
      {"multi_process", served::multi_process},
  };
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "blocking-vs-async-io";
  scenario.question = "Ten thousand clients connect and most are slow.";
  scenario.needs = {"redis"};
  scenario.variants = variants();
  scenario.faults = {{"bad-peers",
                      "slow, stalled, half-closed and idle peers, slow calls, signals, and more "
                      "connections than descriptors"}};
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "requests_per_second";
  scenario.naive = "fixed_blocking_pool";
  scenario.lesson = "a thread that waits for a slow peer is a thread that nobody else has";
  scenario.next =
      "./lab serve-variant blocking-vs-async-io --variant async_coroutines   (and curl it)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events); };
  scenario.serve = serve_alone;
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = lab::actors::role_of(argc, argv);
  if (role == lab::net::kServeRole) return serve_main(recipes());
  if (role == kWorkerRole) return worker_main(served::worker);
  return lab::harness::run_main(scenario(), argc, argv);
}
