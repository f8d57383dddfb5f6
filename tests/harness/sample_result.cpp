#include "sample_result.h"

#include <cmath>

#include "core/random.h"

namespace lab::harness {
namespace {

constexpr int kRounds = 9;

/// Rounds around a middle, the same on every machine.
std::vector<double> rounds_around(double middle, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> samples;
  for (int i = 0; i < kRounds; ++i) {
    samples.push_back(std::round(middle * (0.95 + 0.1 * random.unit()) * 1'000) / 1'000);
  }
  return samples;
}

struct Speed {
  double reads_per_second, p50_us, p99_us, store_reads_per_read;
};

struct Outage {
  double staleness_ms, bound_ms, failed, p99_ms;
  double loads_per_expiry = 0;  // 0: nothing expires
};

NamedResult holds(std::string check) {
  return {std::move(check), CheckResult::holds(4'812)};
}

NamedResult violated(std::string check, std::string witness) {
  return {std::move(check), CheckResult::violated(std::move(witness), 4'812)};
}

const std::string kStale =
    "product:17 returned version 3 at 2310.4 ms, 1204.0 ms after version 4 was acknowledged (at "
    "1106.4 ms); allowed: 640.0 ms; 211 of 4812 reads";
const std::string kApart =
    "500 ms after the last write, node 1 still serves version 3 of product:17; the database has "
    "version 4; 38 of 400 answers";
const std::string kHerd =
    "product:0 was loaded 16 times by one node when its entry expired, once for each client that "
    "asked; 7 of 8 expiries";

std::vector<Metric> metrics_of(const Speed& speed, const Outage& outage, std::uint64_t seed) {
  std::vector<Metric> metrics{
      {"staleness_max_ms", "ms", Better::lower, {outage.staleness_ms}},
      {"staleness_bound_ms", "ms", Better::neither, {outage.bound_ms}},
      {"outage_reads", "1", Better::neither, {1'204}},
      {"outage_failed_reads", "1", Better::lower, {outage.failed}},
      {"outage_read_p99_ms", "ms", Better::lower, {outage.p99_ms}},
      {"reads_per_second", "1/s", Better::higher, rounds_around(speed.reads_per_second, seed)},
      {"read_p50_us", "us", Better::lower, rounds_around(speed.p50_us, seed + 1)},
      {"read_p99_us", "us", Better::lower, rounds_around(speed.p99_us, seed + 2)},
      {"store_reads_per_read", "1", Better::lower,
       rounds_around(speed.store_reads_per_read, seed + 3)},
  };
  if (outage.loads_per_expiry > 0) {
    metrics.insert(metrics.begin() + 2,
                   {"loads_per_expiry", "1", Better::lower, {outage.loads_per_expiry}});
  }
  return metrics;
}

std::vector<TimePoint> timeseries_of(const Outage& outage) {
  std::vector<TimePoint> points;
  for (int step = 0; step < 60; ++step) {
    const bool down = step >= 20 && step < 35;
    points.push_back({step * 50.0, 50, down ? static_cast<std::uint64_t>(outage.failed / 15) : 0,
                      down ? 900.0 : 180.0, down ? outage.p99_ms * 1e3 : 420.0,
                      down ? "redis-kill" : ""});
  }
  return points;
}

Histogram histogram_of(const Speed& speed, std::uint64_t seed) {
  Histogram histogram;
  Random random(seed);
  for (int i = 0; i < 5'000; ++i) {
    const double us = -std::log(1 - random.unit()) * speed.p50_us;
    histogram.record(Nanos(static_cast<std::int64_t>(us * 1e3)));
  }
  return histogram;
}

VariantResult variant(std::string name, std::string promise, std::string idea,
                      std::vector<NamedResult> checks, const Speed& speed, const Outage& outage,
                      std::uint64_t seed) {
  VariantResult result;
  result.source = "scenarios/cache_aside/variants/" + name + ".h";
  result.name = std::move(name);
  result.promise = std::move(promise);
  result.idea = std::move(idea);
  result.line = static_cast<int>(20 + seed / 10);
  result.checks = std::move(checks);
  result.verdict = overall(result.checks);
  result.as_promised = Verdict::holds;
  result.ranked = result.verdict == Verdict::holds;
  result.guards = {{"the fault overlapped operations in flight", true, "61 operations"}};
  result.metrics = metrics_of(speed, outage, seed);
  result.histograms["read"] = histogram_of(speed, seed);
  result.timeseries = timeseries_of(outage);
  return result;
}

std::vector<VariantResult> variants() {
  return {
      variant("no_cache", "control", "every read asks the database",
              {holds("bounded-staleness"), holds("provenance"), holds("convergence"),
               holds("available")},
              {9'100, 410, 2'900, 1}, {0, 0, 0, 3.1}, 10),
      variant("cache_forever", "must_break(bounded-staleness, convergence)",
              "naive: what was read once is kept, and no write is told to it",
              {violated("bounded-staleness", kStale), holds("provenance"),
               violated("convergence", kApart), holds("available")},
              {61'000, 95, 340, 0.0004}, {1'844.2, 640, 0, 5.2}, 20),
      variant("aside_ttl", "must_break(one-load-per-expiry)",
              "entries expire; the database is the way out when Redis fails",
              {holds("bounded-staleness"), holds("provenance"), holds("convergence"),
               holds("available"), violated("one-load-per-expiry", kHerd)},
              {55'000, 101, 890, 0.021}, {590.3, 640, 0, 5.0, 16}, 30),
      variant("aside_invalidate", "must_break(bounded-staleness, convergence)",
              "write the database, then delete the entry; no expiry",
              {violated("bounded-staleness", kStale), holds("provenance"),
               violated("convergence", kApart), holds("available")},
              {57'000, 99, 870, 0.02}, {1'512.9, 640, 0, 5.1}, 40),
      variant("single_flight", "must_hold", "one load per key and node, the others wait for it",
              {holds("bounded-staleness"), holds("provenance"), holds("convergence"),
               holds("available"), holds("one-load-per-expiry")},
              {54'000, 102, 640, 0.0081}, {601.5, 640, 0, 5.5, 1}, 50),
      variant("lease", "must_hold", "a fill is accepted only if no write came between",
              {holds("bounded-staleness"), holds("provenance"), holds("convergence"),
               holds("available"), holds("one-load-per-expiry")},
              {52'500, 108, 655, 0.0083}, {0, 0, 0, 5.4, 1}, 60),
      variant("stale_while_revalidate", "must_hold",
              "stale entries are served while one load renews them; time limits, jitter, a breaker",
              {holds("bounded-staleness"), holds("provenance"), holds("convergence"),
               holds("available"), holds("one-load-per-expiry")},
              {53'200, 104, 410, 0.0064}, {611, 1'240, 0, 2.2, 1}, 70),
  };
}

const std::vector<double>& samples_of(const RunResult& result, const std::string& variant) {
  for (const auto& candidate : result.variants) {
    if (candidate.name != variant) continue;
    for (const auto& metric : candidate.metrics) {
      if (metric.name == "reads_per_second") return metric.samples;
    }
  }
  static const std::vector<double> none;
  return none;
}

void add_comparisons(RunResult& result) {
  const std::string best = "single_flight";
  for (const std::string other : {"no_cache", "lease", "stale_while_revalidate"}) {
    result.comparisons.push_back(
        {"reads_per_second", best, other,
         paired_ratio(samples_of(result, best), samples_of(result, other), result.seed)});
  }
  Limit limit;
  limit.name = "redis-benchmark -c 16 -t get";
  limit.metric = "reads_per_second";
  limit.unit = "1/s";
  limit.samples = rounds_around(66'000, 99);
  limit.best = best;
  limit.ratio = paired_ratio(samples_of(result, best), limit.samples, result.seed);
  result.limits = {limit};
}

}  // namespace

RunResult sample_result() {
  RunResult result;
  result.scenario = "cache-aside";
  result.question =
      "Reads are 98 % of the traffic and the database is the bottleneck. Add Redis. What can go "
      "wrong?";
  result.seed = 7;
  result.backend = "real";
  result.commit = "0123abc";
  result.began = "2026-11-21T01:16:43Z";
  result.took_s = 41.7;
  result.machine = {"Example CPU @ 2.30GHz",
                    2,
                    24'000,
                    "Linux 6.1.0",
                    "Debian GNU/Linux 12",
                    "g++ 12.2.0",
                    "release",
                    "",
                    "KVM",
                    0.4};
  result.placement = "load on CPU 0, servers on CPU 1";
  result.command = "cache_aside --seed 7";
  result.fault = "redis-kill";
  result.load = "open loop, 1000 op/s on 2 nodes, 2 % writes, Zipf 0.99 over 1000 products";
  result.recording_cost_ns = 41;
  result.servers = {{"redis", "7.0.15", "private, Unix socket", 4211, "none"},
                    {"mariadb", "10.11.6", "private, Unix socket", 4230, "flush at commit"}};
  result.checks = {
      {"bounded-staleness",
       "a read that begins later than ack(w) + B never returns a version older than w"},
      {"provenance", "every value read was written by someone"},
      {"convergence", "after the writes have stopped, cache and database agree"},
      {"available", "while Redis is away, 99.9 % of reads succeed within the time limit"},
      {"one-load-per-expiry", "when a hot entry expires, each node loads it once"}};
  result.variants = variants();
  for (const auto& each : result.variants) {
    result.faults.push_back({"redis-kill", "redis", each.name, 1'000.2, 1'761.9, ""});
  }
  add_comparisons(result);
  result.verdict = Verdict::holds;
  result.why_lost =
      "the entry is never told of a write, and nothing takes it away\n"
      "scenarios/cache_aside/variants/cache_forever.h:22\n"
      "one load per key and node, the others wait for it\n"
      "scenarios/cache_aside/variants/single_flight.h:25";
  result.next = "lab run cache-aside --fault redis-pause   (only a time limit helps)";
  result.folder = "results/local/cache-aside/20261121T011643Z-0123abc-7";
  return result;
}

RunResult broken_sample() {
  RunResult result = sample_result();
  VariantResult& lease = result.variants[5];
  lease.checks[0] = violated("bounded-staleness", kStale);
  lease.verdict = lease.as_promised = result.verdict = Verdict::violated;
  lease.ranked = false;
  std::erase_if(result.comparisons, [](const Comparison& c) { return c.b == "lease"; });
  result.exit_status = 1;
  return result;
}

RunResult inconclusive_sample() {
  RunResult result = sample_result();
  VariantResult& ttl = result.variants[2];
  ttl.checks[4] = holds("one-load-per-expiry");
  ttl.verdict = Verdict::holds;
  ttl.as_promised = result.verdict = Verdict::inconclusive;
  VariantResult& last = result.variants.back();
  last.guards[0].satisfied = false;
  last.guards[0].detail = "0 operations";
  apply_guards(last.checks, last.guards);
  last.verdict = last.as_promised = Verdict::inconclusive;
  last.ranked = false;
  result.exit_status = 4;
  return result;
}

}  // namespace lab::harness
