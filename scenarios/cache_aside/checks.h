#pragma once
// What must be true whatever happens, and what a fault run has to bring along to judge it.

#include <map>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/history.h"
#include "observed_store.h"
#include "workload.h"

namespace cache_aside {

/// A product as all nodes saw it after the writes had stopped, and as the database has it.
struct AtRest {
  ProductId id;
  std::uint32_t node = 0;
  std::int64_t cached_version = 0;
  std::int64_t stored_version = 0;
};

struct Evidence {
  explicit Evidence(lab::Instant zero) : history(zero, 0) {}

  lab::harness::History history;
  std::map<std::int64_t, Product> initial;  // by id, before the first operation

  // Staleness. B is how old a read may be and still come from a correct implementation. An entry
  // lives `lifetime`; but the fill that wrote it may have landed as late as `slowest_fill` after
  // its database read, and the write that it missed may have been acknowledged right after that
  // read. So B = lifetime + slowest_fill, or 0 for a variant that promises every read to see what
  // was acknowledged before.
  lab::Nanos lifetime{};
  lab::Nanos slowest_fill{};
  bool at_once = false;
  lab::Nanos bound() const { return at_once ? lab::Nanos{} : lifetime + slowest_fill; }

  // The outage, empty when the run had none: while Redis was surely away, for on a busy machine it goes late, and reads that it
  // still answered would speak for a variant. Its operations tell what their thread waited for a core (no_core), but for the
  // database's part of the call.
  lab::harness::Window outage;
  lab::Nanos cache_timeout{};
  /// Of the database's answers during the outage and just after it. What the asking thread waited for a core is part of
  /// it: others wait for the same answer.
  lab::Nanos store_p99{};
  /// The database alone, and without what came after: when calls that hung all along go to the database at once, it is slow
  /// because of them.
  lab::Nanos store_p99_within{};
  lab::Nanos worst_hiccup{};  // the scheduler's latest wake-up during the outage

  // Loads of the hot product while its entry expired, by node; empty where entries do not expire.
  bool expires = false;
  lab::Nanos expiry_interval{};  // loads closer together than this belong to the same expiry
  std::vector<std::vector<StoreRead>> hot_loads;
  /// What stands still for as long may make a correct variant give up waiting and load again.
  lab::Nanos patience{};
  lab::Nanos slow_query{};  // what a load usually took
  /// Not in a build with sanitizers, which hangs and lacks cores by itself.
  bool speed_counts = true;
  /// To Redis, beside the variant, each from when it was due until its answer: the machine's own stalls show too.
  std::vector<lab::harness::Window> pings;

  std::vector<AtRest> at_rest;  // successful reads only
  std::size_t at_rest_asked = 0;
  lab::Nanos settled{};  // how long nothing was written before at_rest was taken
};

std::vector<lab::harness::Check<Evidence>> checks();

/// The largest staleness seen: how long before the read began a newer version had been
/// acknowledged. For the result's figures.
lab::Nanos largest_staleness(const Evidence& evidence);
/// The most loads of one node for one expiry; 0 without an expiry.
std::size_t most_loads_per_expiry(const Evidence& evidence);

}  // namespace cache_aside
