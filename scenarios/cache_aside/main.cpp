// cache_aside: "Reads are 98 % of the traffic and the database is the bottleneck. Add Redis. What
// can go wrong?"
//
// The scenario as a table of contents: its variants with what each promises, its faults, its
// checks.

#include "actors/role.h"
#include "checks.h"
#include "doomed_writer.h"
#include "variants/aside_invalidate.h"
#include "variants/aside_ttl.h"
#include "variants/cache_forever.h"
#include "variants/lease.h"
#include "variants/no_cache.h"
#include "variants/single_flight.h"
#include "variants/stale_while_revalidate.h"
#include "world.h"

using namespace cache_aside;
using lab::harness::Promise;
using lab::harness::Scenario;
using lab::infra::Redis;

namespace {

using Freshness = Recipe::Freshness;

std::string source(const std::string& variant) {
  return "scenarios/cache_aside/variants/" + variant + ".h";
}

/// Under these Redis does not answer in time, and only a time limit on the call helps.
const std::vector<std::string> kSilentRedis{"redis-pause", "redis-slow"};
/// A changed length makes a client wait for bytes that never come, or not: how often is chance.
const std::vector<std::string> kGarbage{"redis-garbage"};

std::vector<lab::harness::Variant> variants() {
  return {
      {"no_cache", Promise::control(), "every read asks the database", source("no_cache"),
       "return store_.find(id)"},
      {"cache_forever",
       Promise::must_break("bounded-staleness")
           .also_breaks("convergence")
           .also_breaks("available",
                        {"redis-kill", "redis-old-dump", "redis-cut", "redis-pause", "redis-slow"})
           .also_breaks("provenance", {"redis-garbage"})
           .silent_on("available"),
       "naive: what was read once is kept, and no write is told to it", source("cache_forever"),
       "// for ever"},
      {"aside_ttl",
       Promise::must_break("one-load-per-expiry")
           .also_breaks("available", kSilentRedis)
           .silent_on("available", kGarbage),
       "entries expire; the database is the way out when Redis fails", source("aside_ttl"),
       "times_.ttl"},
      {"aside_invalidate",
       Promise::must_break("bounded-staleness")
           .also_breaks("convergence")
           .also_breaks("available", kSilentRedis)
           .silent_on("available", kGarbage),
       "write the database, then delete the entry; no expiry", source("aside_invalidate"),
       "may land after"},
      {"single_flight",
       Promise::must_hold().also_breaks("available", kSilentRedis).silent_on("available", kGarbage),
       "one load per key and node, the others wait for it", source("single_flight"),
       "flights_.load_once"},
      {"lease",
       Promise::must_hold().also_breaks("available", kSilentRedis).silent_on("available", kGarbage),
       "a fill is accepted only if no write came between", source("lease"), "kFill{"},
      {"stale_while_revalidate", Promise::must_hold().silent_on("available", kGarbage),
       "stale entries are served while one load renews them; time limits, jitter, a breaker",
       source("stale_while_revalidate"), "background_.request"},
  };
}

std::vector<Recipe> recipes() {
  return {
      {"no_cache",
       [](Redis&, ProductRepository& store, Times, auto) {
         return std::make_unique<NoCache>(store);
       },
       Freshness::at_once, false},
      {"cache_forever",
       [](Redis& redis, ProductRepository& store, Times, auto) {
         return std::make_unique<CacheForever>(redis, store);
       },
       Freshness::within_ttl, false},
      {"aside_ttl",
       [](Redis& redis, ProductRepository& store, Times times, auto) {
         return std::make_unique<AsideTtl>(redis, store, times);
       },
       Freshness::within_ttl},
      {"aside_invalidate",
       [](Redis& redis, ProductRepository& store, Times, auto) {
         return std::make_unique<AsideInvalidate>(redis, store);
       },
       Freshness::within_ttl, false},
      {"single_flight",
       [](Redis& redis, ProductRepository& store, Times times, auto) {
         return std::make_unique<SingleFlight>(redis, store, times);
       },
       Freshness::within_ttl},
      {"lease",
       [](Redis& redis, ProductRepository& store, Times times, auto node) {
         return std::make_unique<Lease>(redis, store, times, node);
       },
       Freshness::at_once_unless},
      {"stale_while_revalidate",
       [](Redis& redis, ProductRepository& store, Times times, auto) {
         return std::make_unique<StaleWhileRevalidate>(redis, store, times);
       },
       Freshness::within_stale},
  };
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "cache-aside";
  scenario.question =
      "Reads are 98 % of the traffic and the database is the bottleneck. Add Redis. What can go "
      "wrong?";
  scenario.needs = {"redis", "sql"};
  scenario.variants = variants();
  scenario.faults = lab::backends::redis_faults();
  scenario.faults.push_back(
      {kAppCrash, "a node is killed between the commit of a price and the delete of its entry"});
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "reads_per_second";
  scenario.naive = "cache_forever";
  scenario.lesson = "the entry is never told of a write, and nothing takes it away";
  scenario.next = "./lab run cache-aside --fault redis-pause   (only a time limit helps)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  if (lab::actors::role_of(argc, argv) == kDoomedWriterRole) return doomed_writer(recipes());
  return lab::harness::run_main(scenario(), argc, argv);
}
