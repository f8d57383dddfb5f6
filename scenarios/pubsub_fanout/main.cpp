// pubsub_fanout: "A chat room with 5,000 people on four servers."
//
// The scenario as a table of contents: its variants with what each promises, its faults, its checks.

#include "actors/role.h"
#include "checks.h"
#include "net/server_process.h"
#include "speed.h"
#include "variants/blocking_send.h"
#include "variants/direct_loop.h"
#include "variants/redis_pubsub.h"
#include "variants/redis_streams_resume.h"
#include "variants/shared_payload.h"
#include "variants/slow_consumer_bounded.h"
#include "world.h"

using namespace pubsub_fanout;
using lab::harness::Promise;
using lab::harness::Scenario;

namespace {

/// Under these a reader stops reading for long enough; a node that dies or sleeps takes its readers along.
const std::vector<std::string> kStalls{kCut, kRedisKill, "none"};

std::string source(const std::string& variant) {
  return "scenarios/pubsub_fanout/variants/" + variant + ".h";
}

/// One node that keeps whatever a reader does not take, and remembers nothing.
Promise keeps_everything() {
  // When the node is away, who speaks is away as long as who listens. And whom a late machine makes give its connection up misses
  // what was said meanwhile, whatever the fault.
  return Promise::must_break("bounded-memory", kStalls)
      .also_breaks("resume", {kCut})
      .silent_on("resume", {kNodeKill, kNodeRestart, kNodePause, kRedisKill, "none"});
}

std::vector<lab::harness::Variant> variants() {
  return {
      {"direct_loop", keeps_everything(),
       "naive: one node, one loop, a frame for each, and all that a socket does not take is kept",
       source("direct_loop"), "listener->write"},
      {"blocking_send",
       // While it waits nothing is acknowledged, so that little is owed; its clients leave, and come back when they can.
       Promise::must_break("others-undisturbed", kStalls)
           .silent_on("bounded-memory", kStalls)
           .silent_on("back-in-time", kStalls)
           .silent_on("resume"),
       "nothing is kept: each frame is sent until it is gone, and all wait for who does not read",
       source("blocking_send"), "write_blocking"},
      {"shared_payload", keeps_everything(),
       "one frame for all, one write for all that waits; still keeps everything",
       source("shared_payload"), "listener->queue"},
      {"slow_consumer_bounded", Promise::must_hold(),
       "so much may wait for each, then it misses something and is told what",
       source("slow_consumer_bounded"), "> kMostWaiting"},
      {"redis_pubsub",
       Promise::must_break("contiguous", {kCut})
           .also_breaks("resume", {kCut})
           .also_breaks("presence-converges", {kNodeKill, kNodeRestart})
           .silent_on("contiguous", {kRedisKill})
           // Those of a dead node are elsewhere within a millisecond: whether somebody speaks in it is chance.
           .silent_on("resume", {kNodeKill, kRedisKill, kNodeRestart, kNodePause, "none"})
           .silent_on("back-in-time", {kRedisKill})
           .silent_on("presence-converges", {kCut, kNodePause, kRedisKill}),
       "many nodes over a Redis channel, which remembers nothing", source("redis_pubsub"),
       "PUBLISH"},
      {"redis_streams_resume", Promise::must_hold(),
       "many nodes over a Redis stream: numbered, kept, read on from the last place",
       source("redis_streams_resume"), "history_.append"},
      {"event_bus", Promise::control(), "inside one process, for comparison: a call, no socket",
       source("event_bus"), "subscriber(text)"},
  };
}

template <class Node>
std::unique_ptr<ChatNode> make(NodeTools tools) {
  return std::make_unique<Node>(tools);
}

std::vector<Recipe> recipes() {
  std::vector<Recipe> recipes{
      {"direct_loop", make<DirectLoop>},
      {"blocking_send", make<BlockingSend>},
      {"shared_payload", make<SharedPayload>},
      {"slow_consumer_bounded", make<SlowConsumerBounded>},
      {"redis_pubsub", make<RedisPubsub>, true},
      {"redis_streams_resume", make<RedisStreamsResume>, true},
      {"event_bus", nullptr},
  };
  for (auto& bare : bare_recipes()) recipes.push_back(std::move(bare));
  return recipes;
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "pubsub-fanout";
  scenario.question = "A chat room with 5,000 people on four servers.";
  scenario.needs = {"redis"};
  scenario.variants = variants();
  scenario.faults = {
      {kCut, "nodes lose their connection to Redis and readers that to their node, in turns"},
      {kNodeKill, "a node is killed with -9 and comes back later; some of its readers do not"},
      {kNodeRestart,
       "a node is killed with -9 and is back at once, within the lease of who was there"},
      {kNodePause, "a node is stopped (SIGSTOP) for longer than clients wait, and goes on"},
      {kRedisKill, "Redis is killed with -9 and restarts from its append-only file"},
      {"none", "nothing happens: the baseline"},
  };
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "deliveries_per_second";
  scenario.naive = "direct_loop";
  scenario.lesson =
      "what a reader does not take is kept for it, however much that is, and who comes back is "
      "told "
      "nothing";
  scenario.next = "./lab run pubsub-fanout --fault node-kill   (a node dies, and its ghosts stay)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  scenario.serve = [](const auto& request) { return serve_alone(request, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  if (lab::actors::role_of(argc, argv) == lab::net::kServeRole) {
    return lab::net::serve_role(
        [](const std::string& orders) { return serve_node(recipes(), orders); });
  }
  if (wants_target(argc, argv)) return measure_target(argc, argv);
  return lab::harness::run_main(scenario(), argc, argv);
}
