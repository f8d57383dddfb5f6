#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "circuit_breaker.h"

namespace cache_aside {
namespace {

using lab::Nanos;
using lab::harness::CheckResult;
using lab::harness::Histogram;
using lab::harness::Operation;
using lab::harness::Outcome;
using lab::harness::Window;

/// The acknowledged writes of one product, by version, with the earliest acknowledgement among all
/// that are newer.
class Acknowledged {
 public:
  void add(const Operation& write) { writes_.push_back(write); }

  void finish() {
    std::sort(writes_.begin(), writes_.end(),
              [](const auto& a, const auto& b) { return a.value < b.value; });
    earliest_from_.resize(writes_.size());
    for (std::size_t i = writes_.size(); i-- > 0;) {
      const bool newer_is_earlier =
          i + 1 < writes_.size() && writes_[earliest_from_[i + 1]].returned < writes_[i].returned;
      earliest_from_[i] = newer_is_earlier ? earliest_from_[i + 1] : i;
    }
  }

  /// Of the writes newer than the version, the one that was acknowledged first.
  const Operation* first_newer_than(std::int64_t version) const {
    const auto newer =
        std::upper_bound(writes_.begin(), writes_.end(), version,
                         [](std::int64_t v, const Operation& write) { return v < write.value; });
    if (newer == writes_.end()) return nullptr;
    return &writes_[earliest_from_[static_cast<std::size_t>(newer - writes_.begin())]];
  }

 private:
  std::vector<Operation> writes_;
  std::vector<std::size_t> earliest_from_;
};

std::unordered_map<std::int64_t, Acknowledged> acknowledged_writes(const Evidence& evidence) {
  std::unordered_map<std::int64_t, Acknowledged> by_key;
  evidence.history.for_each([&](const Operation& op) {
    if (op.kind == kWrite && op.outcome == Outcome::ok) by_key[op.key].add(op);
  });
  for (auto& [key, writes] : by_key) writes.finish();
  return by_key;
}

bool is_read(const Operation& op) {
  return op.kind == kRead && op.outcome == Outcome::ok;
}

/// Calls visit(read, write, age) for every read that returned an older version than one
/// acknowledged before it began.
template <class Visit>
std::uint64_t for_each_stale_read(const Evidence& evidence, const Visit& visit) {
  const auto writes = acknowledged_writes(evidence);
  std::uint64_t judged = 0;  // reads of products that had been written: the others cannot be stale
  evidence.history.for_each([&](const Operation& read) {
    if (!is_read(read)) return;
    const auto of_key = writes.find(read.key);
    if (of_key == writes.end()) return;
    ++judged;
    const Operation* newer = of_key->second.first_newer_than(read.value);
    if (newer && newer->returned < read.invoked)
      visit(read, *newer, read.invoked - newer->returned);
  });
  return judged;
}

/// A read that begins later than ack(w) + B never returns a version older than w.
std::optional<CheckResult> bounded_staleness(const Evidence& evidence) {
  const Nanos bound = evidence.bound();
  Nanos worst{};
  std::uint64_t broken = 0;
  std::string witness;
  const auto judged =
      for_each_stale_read(evidence, [&](const Operation& read, const Operation& write, Nanos age) {
        if (age <= bound) return;
        ++broken;
        if (age <= worst) return;
        worst = age;
        witness = fmt::format(
            "{} returned version {} at {:.1f} ms, {:.1f} ms after version {} was acknowledged (at "
            "{:.1f} ms); allowed: {:.1f} ms",
            "product:" + std::to_string(read.key), read.value, lab::milliseconds(read.invoked),
            lab::milliseconds(age), write.value, lab::milliseconds(write.returned),
            lab::milliseconds(bound));
      });
  if (broken > 0)
    return CheckResult::violated(fmt::format("{}; {} of {} reads", witness, broken, judged),
                                 judged);
  if (judged == 0) return CheckResult::inconclusive("no product was both written and read");
  return CheckResult::holds(judged);
}

/// Every value read was written by someone: the seed data, an acknowledged write, or one whose
/// outcome is unknown.
std::optional<CheckResult> provenance(const Evidence& evidence) {
  struct Written {
    std::int64_t key, version;  // version 0: unknown
  };
  std::unordered_map<std::int64_t, Written> by_price;  // each write sets a price of its own
  evidence.history.for_each([&](const Operation& op) {
    if (op.kind == kWrite && op.outcome != Outcome::fail)
      by_price[op.aux] = {op.key, op.outcome == Outcome::ok ? op.value : 0};
  });
  std::uint64_t examined = 0, strangers = 0;
  std::string witness;
  evidence.history.for_each([&](const Operation& read) {
    if (!is_read(read)) return;
    ++examined;
    const auto seed = evidence.initial.find(read.key);
    if (seed != evidence.initial.end() && seed->second.version == read.value &&
        seed->second.price.value == read.aux)
      return;
    const auto write = by_price.find(read.aux);
    if (write != by_price.end() && write->second.key == read.key &&
        (write->second.version == 0 || write->second.version == read.value)) {
      return;
    }
    if (strangers++ == 0) {
      witness = fmt::format(
          "product:{} was read at {:.1f} ms as version {} with price {}, which nobody wrote",
          read.key, lab::milliseconds(read.returned), read.value, read.aux);
    }
  });
  if (strangers > 0)
    return CheckResult::violated(fmt::format("{}; {} of {} reads", witness, strangers, examined),
                                 examined);
  if (examined == 0) return CheckResult::inconclusive("no read succeeded");
  return CheckResult::holds(examined);
}

/// After the writes have stopped, what the nodes serve and what the database holds agree.
std::optional<CheckResult> convergence(const Evidence& evidence) {
  std::uint64_t apart = 0;
  std::string witness;
  for (const auto& seen : evidence.at_rest) {
    if (seen.cached_version == seen.stored_version) continue;
    if (apart++ > 0) continue;
    witness = fmt::format(
        "{:.0f} ms after the last write, node {} still serves version {} of product:{}; the "
        "database has version {}",
        lab::milliseconds(evidence.settled), seen.node, seen.cached_version, seen.id.value,
        seen.stored_version);
  }
  if (apart > 0) {
    return CheckResult::violated(
        fmt::format("{}; {} of {} answers", witness, apart, evidence.at_rest.size()),
        evidence.at_rest.size());
  }
  if (evidence.at_rest.empty())
    return CheckResult::inconclusive("the nodes were not compared with the database");
  if (evidence.at_rest.size() < evidence.at_rest_asked) {
    return CheckResult::inconclusive(
        fmt::format("{} of {} reads at rest failed",
                    evidence.at_rest_asked - evidence.at_rest.size(), evidence.at_rest_asked),
        evidence.at_rest.size());
  }
  return CheckResult::holds(evidence.at_rest.size());
}

/// p99 of the reads in the outage, without what their own threads waited for a core, against what is allowed. On a machine that stalls, three things can be no variant's doing,
/// and then nothing can be said: the allowance grows as long as the outage, so that hanging all along would pass; reads
/// wait for a free client of the load, and their latency is long though every call was quick; the database alone takes
/// longer than the cache's time limit, so the load is more than the machine carries.
CheckResult quick_enough(const Evidence& evidence, const lab::harness::History::Filter& in_outage,
                         std::size_t reads) {
  const Nanos outage = evidence.outage.length();
  const Nanos allowed = evidence.cache_timeout + evidence.store_p99 + evidence.worst_hiccup;
  Histogram latencies, calls;
  evidence.history.for_each([&](const Operation& op) {
    if (!in_outage(op)) return;
    latencies.record(op.latency() - op.no_core);
    calls.record(op.duration() - op.no_core);
  });
  const Nanos p99 = latencies.percentile(0.99);
  const std::string measured = fmt::format(
      "p99 while Redis was away: {:.0f} ms, not counting the time without a core, with an outage "
      "of "
      "{:.0f} ms; allowed: {:.0f} ms (cache limit {:.0f} + database p99 {:.1f} + scheduler {:.1f})",
      lab::milliseconds(p99), lab::milliseconds(outage), lab::milliseconds(allowed),
      lab::milliseconds(evidence.cache_timeout), lab::milliseconds(evidence.store_p99),
      lab::milliseconds(evidence.worst_hiccup));
  if (p99 > allowed) {
    if (evidence.store_p99_within > evidence.cache_timeout) {
      return CheckResult::inconclusive(measured + "; the database alone was that slow", reads);
    }
    if (calls.percentile(0.99) > allowed) return CheckResult::violated(measured, reads);
    return CheckResult::inconclusive(
        measured + "; the calls were quick, but waited for a free client", reads);
  }
  if (p99 * 10 > outage * 9) {
    return CheckResult::inconclusive(measured + "; the machine was too slow to tell a hang", reads);
  }
  return CheckResult::holds(reads);
}

/// While Redis is away, at least 99.9 % of the reads succeed, and p99 stays within the cache's time
/// limit plus the database's own p99. What a read's thread waited for a core amid its call, outside the database's answer, is not counted, and the
/// scheduler's worst hiccup in that time is allowed on top, for the moment before the call, for other threads, and for what
/// a hypervisor takes: no variant is accused of the machine.
std::optional<CheckResult> available(const Evidence& evidence) {
  if (evidence.outage.length() <= Nanos{}) return std::nullopt;
  const auto in_outage = [&](const Operation& op) {
    return op.kind != kWrite &&
           evidence.outage.contains(op.planned);  // also what was never asked, for want of a client
  };
  const std::size_t reads = evidence.history.count(in_outage);
  const std::size_t failed = evidence.history.count(
      [&](const Operation& op) { return in_outage(op) && op.outcome != Outcome::ok; });
  if (reads < 50)
    return CheckResult::inconclusive(fmt::format("only {} reads fell into the outage", reads),
                                     reads);
  if (static_cast<double>(failed) > 0.001 * static_cast<double>(reads)) {
    return CheckResult::violated(
        fmt::format("{} of {} reads failed while Redis was away ({:.1f} %)", failed, reads,
                    100.0 * static_cast<double>(failed) / static_cast<double>(reads)),
        reads);
  }
  return quick_enough(evidence, in_outage, reads);
}

/// When the loads began that belong to one expiry, in order.
using Expiry = std::vector<lab::Instant>;

/// One node's loads of the hot product.
std::vector<Expiry> by_expiry(std::vector<StoreRead> loads, Nanos interval) {
  std::sort(loads.begin(), loads.end(),
            [](const auto& a, const auto& b) { return a.began < b.began; });
  std::vector<Expiry> expiries;
  for (const auto& load : loads) {
    if (expiries.empty() || load.began - expiries.back().front() > interval)
      expiries.emplace_back();
    expiries.back().push_back(load.began);
  }
  return expiries;
}

/// When a correct variant may load again, because Redis, the machine or the database stood still. That a read hung is no
/// excuse, nor that it lacked a core: where a lease is never given back, readers hang, and who asks again and again meanwhile
/// often waits for a core.
std::vector<Window> excused_times(const Evidence& evidence) {
  std::vector<Window> excused;
  // Who waits gives up once patience has ended, in the stall or just after it; a breaker that opened then cools down.
  const auto add_if_stalled = [&](Nanos begin, Nanos end, Nanos patience) {
    if (end - begin >= patience)
      excused.push_back({begin + patience, end + patience + CircuitBreaker::kCoolDown});
  };
  const lab::Instant zero = evidence.history.zero();
  for (const auto& ping : evidence.pings) add_if_stalled(ping.begin, ping.end, evidence.patience);
  for (const auto& loads : evidence.hot_loads) {
    for (const auto& load : loads)
      add_if_stalled(load.began - zero, load.ended - zero, evidence.slow_query + evidence.patience);
  }
  if (!evidence.speed_counts)
    evidence.history.for_each([&](const Operation& each) {
      add_if_stalled(each.invoked, each.returned, evidence.slow_query + evidence.patience);
    });
  return excused;
}

/// When a hot entry expires, each node loads it once, however many clients ask. A load after the first may have an excuse; a
/// stampede's have none, for they begin at once.
std::optional<CheckResult> one_load_per_expiry(const Evidence& evidence) {
  if (!evidence.expires) return std::nullopt;
  const auto times = excused_times(evidence);
  const auto is_excused = [&](lab::Instant load) {
    return std::any_of(times.begin(), times.end(), [&](const Window& time) {
      return time.contains(load - evidence.history.zero());
    });
  };
  std::size_t expiries = 0, broken = 0, excused = 0, most = 0;
  for (const auto& loads : evidence.hot_loads) {
    for (const auto& expiry : by_expiry(loads, evidence.expiry_interval)) {
      ++expiries;
      if (expiry.size() == 1) continue;
      ++(std::all_of(expiry.begin() + 1, expiry.end(), is_excused) ? excused : broken);
      most = std::max(most, expiry.size());
    }
  }
  if (expiries == 0) return CheckResult::inconclusive("the hot entry did not expire");
  if (broken > 0)
    return CheckResult::violated(fmt::format("product:{} was loaded {} times by one node when its "
                                             "entry expired; "
                                             "{} of {} expiries",
                                             kHotProduct, most, broken, expiries),
                                 expiries);
  if (excused > 0)
    return CheckResult::inconclusive(
        fmt::format("{} of {} expiries had a second load, but the machine stalled meanwhile",
                    excused, expiries),
        expiries);
  return CheckResult::holds(expiries);
}

}  // namespace

std::vector<lab::harness::Check<Evidence>> checks() {
  return {
      {"bounded-staleness",
       "a read that begins later than ack(w) + B never returns a version older than w",
       bounded_staleness},
      {"provenance", "every value read was written by someone", provenance},
      {"convergence", "after writes stop, what the nodes serve and what the database holds agree",
       convergence},
      {"available",
       "while Redis is away, 99.9 % of reads succeed and p99 stays within cache limit + database "
       "p99",
       available},
      {"one-load-per-expiry", "when a hot entry expires, each node loads it once",
       one_load_per_expiry},
  };
}

Nanos largest_staleness(const Evidence& evidence) {
  Nanos largest{};
  for_each_stale_read(evidence, [&](const Operation&, const Operation&, Nanos age) {
    largest = std::max(largest, age);
  });
  return largest;
}

std::size_t most_loads_per_expiry(const Evidence& evidence) {
  std::size_t most = 0;
  if (!evidence.expires) return most;
  for (const auto& loads : evidence.hot_loads) {
    for (const auto& expiry : by_expiry(loads, evidence.expiry_interval))
      most = std::max(most, expiry.size());
  }
  return most;
}

}  // namespace cache_aside
