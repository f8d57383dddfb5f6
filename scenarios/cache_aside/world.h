#pragma once
// The world that a run of this scenario happens in: a cache, a database, and nodes of the variant
// between them.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "checks.h"
#include "harness/scenario.h"

namespace cache_aside {

/// What a variant says about itself beyond its code: how it is made, and what staleness it can be
/// held to.
struct Recipe {
  std::string variant;
  std::function<std::unique_ptr<Catalog>(lab::infra::Redis&, ProductRepository&, Times,
                                         std::uint32_t node)>
      make;
  enum class Freshness {
    at_once,         // every read sees what was acknowledged before it
    at_once_unless,  // the same, unless the fault can lose a delete or bring a deleted entry back;
                     // then within the TTL
    within_ttl,
    within_stale,  // TTL with jitter, and the time that stale entries may be served
  } freshness;
  bool expires = true;  // its entries have a TTL
};

/// The fault that the scenario adds to those of Redis.
inline constexpr const char* kAppCrash = "app-crash";

lab::harness::Timing timing(const lab::harness::Flags& flags);

std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes);

}  // namespace cache_aside
