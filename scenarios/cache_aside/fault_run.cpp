#include "fault_run.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "actors/actor.h"
#include "core/stop.h"
#include "doomed_writer.h"
#include "harness/load.h"
#include "harness/statistics.h"
#include "nodes.h"
#include "product_cache.h"

namespace cache_aside {
namespace {

using lab::Instant;
using lab::Nanos;
using lab::now;
using namespace lab::harness;
using namespace std::chrono_literals;

constexpr double kRate = 1500;
// More than arrive within the cache's time limit, so that no read waits for a free client before it is even asked.
constexpr std::uint32_t kInFlight = 96;
constexpr Nanos kSlowQuery =
    5ms;  // in the expiry probe: long enough for clients to meet in one load

/// A run in the making: what is collected on the way to the checks.
class FaultRun {
 public:
  FaultRun(const Setting& setting, EventStream& events)
      : setting_(setting),
        events_(events),
        nodes_(setting, Nodes::Path::as_the_fault_needs),
        zero_(now()),
        evidence_(zero_) {}

  TrialReport run() {
    empty_cache(setting_);
    take_snapshot();
    hot_entry_expires();
    load_with_fault();
    slow_reader_meets_writer();
    if (setting_.plan.fault == kAppCrash) writer_dies_before_its_delete();
    rest_and_compare();
    return report();
  }

 private:
  void phase(const char* name) {
    events_.emit("phase", {{"variant", setting_.recipe.variant}, {"name", std::string(name)}});
  }

  void take_snapshot() {
    const auto all = setting_.products.find_all();
    if (!all) throw lab::Failure(all.error());
    for (const auto& product : *all) evidence_.initial[product.id.value] = product;
  }

  /// 16 clients ask for one product for two and a half times its TTL, while the database is slow.
  void hot_entry_expires() {
    evidence_.expires = setting_.recipe.expires;
    evidence_.expiry_interval = setting_.times.ttl / 2;
    if (!evidence_.expires) return;
    phase("expiry of a hot entry");
    const ProductId hot{kHotProduct};
    for (std::uint32_t node = 0; node < kNodes; ++node) (void)nodes_.catalog(node).read(hot);
    for (std::uint32_t node = 0; node < kNodes; ++node) nodes_.store(node).start_recording();
    nodes_.set_extra_latency(kSlowQuery);
    const ClosedLoad load{.clients = kClients,
                          .duration = setting_.times.ttl * 5 / 2,
                          .seed = setting_.plan.flags.seed};
    // Variants wait for as long as these for the cache, or for who loads; half of it brings them close.
    evidence_.patience =
        std::min<Nanos>(setting_.times.cache_timeout, setting_.times.lease / 2) / 2;
    evidence_.slow_query = kSlowQuery;
    evidence_.speed_counts = setting_.plan.machine.sanitizers.empty();
    const auto beside = setting_.backends.redis->client();
    std::jthread pings([&](const std::stop_token& stop) { ping(*beside, stop); });
    evidence_.history.append(closed_loop(zero_, load, [&](std::uint32_t client, lab::Random&) {
      return Workload::read(nodes_.catalog(client), hot);
    }));
    pings.request_stop();
    pings.join();
    nodes_.set_extra_latency(Nanos{});
    for (std::uint32_t node = 0; node < kNodes; ++node)
      evidence_.hot_loads.push_back(nodes_.store(node).stop_recording());
  }

  /// A millisecond after each answer the next, until the stop.
  void ping(lab::infra::Redis& redis, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Instant due = now() + 1ms;
      std::this_thread::sleep_until(due);
      (void)redis.command({"PING"});
      evidence_.pings.push_back({due - zero_, now() - zero_});
    }
  }

  void load_with_fault() {
    phase("load with fault");
    const Timing& timing = setting_.plan.timing;
    const HiccupMeter hiccups;
    for (std::uint32_t node = 0; node < kNodes; ++node) nodes_.store(node).start_recording();
    load_began_ = now() - zero_;
    auto faults = setting_.backends.redis->faults(timing);
    std::atomic<std::size_t> to_end = faults.size();
    lab::faults::FaultPlan plan(std::move(faults));
    plan.start(now(), [&](const lab::faults::FaultRecord& fault, bool ended) {
      if (ended) --to_end;
      events_.emit("fault", {{"variant", setting_.recipe.variant},
                             {"name", fault.name},
                             {"target", fault.target},
                             {"state", std::string(ended ? "ended" : "began")}});
    });
    // The recovery begins when the fault has really ended, however late it began and however long the server took to come
    // back; the load goes on as long.
    std::uint64_t part = 0;
    offer_load(timing.warm_up + timing.steady + timing.fault, part);
    while (to_end > 0 && !lab::stop_requested()) offer_load(50ms, ++part);
    keep_faults(plan.finish());
    offer_load(timing.recovery, ++part);
    load_ = {load_began_, now() - zero_};
    keep_store_times(hiccups);
  }

  void offer_load(Nanos duration, std::uint64_t part) {
    const OpenLoad load{.operations_per_second = kRate,
                        .in_flight = kInFlight,
                        .duration = duration,
                        .seed = lab::Random(setting_.plan.flags.seed).stream(part)()};
    evidence_.history.append(open_loop(zero_, load, [&](std::uint32_t client, lab::Random& random) {
      const Nanos waited = waited_outside_the_store();
      Operation op = workload_.operate(nodes_.catalog(client), random);
      op.no_core = waited_outside_the_store() - waited;
      return op;
    }));
  }

  /// The calling thread, for a core. Inside the store it is the database's time that grows: see Evidence.
  static Nanos waited_outside_the_store() {
    return waited_for_core() - ObservedStore::no_core_of_this_thread();
  }

  void keep_faults(const std::vector<lab::faults::FaultRecord>& records) {
    for (const auto& record : records) {
      if (!record.error.empty()) throw lab::Failure("fault " + record.name + ": " + record.error);
      faults_.push_back({record.name, record.target, setting_.recipe.variant,
                         lab::milliseconds(load_began_ + record.began),
                         lab::milliseconds(load_began_ + record.ended), record.error});
      if (record.name != setting_.plan.fault) continue;
      evidence_.outage = {load_began_ + record.in_force, load_began_ + record.ended};
      fault_began_ = load_began_ + record.began;
    }
  }

  /// How fast the database itself was while Redis was away, and what the scheduler did meanwhile.
  void keep_store_times(const HiccupMeter& hiccups) {
    // Reads that were planned in the outage may still be under way for a while after it.
    const Instant begin = zero_ + evidence_.outage.begin;
    const Instant end = zero_ + evidence_.outage.end + 2 * setting_.times.cache_timeout;
    const Instant healthy_until =
        zero_ + (evidence_.outage.length() > Nanos{} ? fault_began_ : load_.end);
    const Instant healthy_from = zero_ + load_.begin + setting_.plan.timing.warm_up;
    const Instant outage_ended = zero_ + evidence_.outage.end;
    Histogram during, within;
    for (std::uint32_t node = 0; node < kNodes; ++node) {
      for (const auto& read : nodes_.store(node).stop_recording()) {
        if (read.began < end && read.ended > begin) during.record(read.ended - read.began);
        if (read.began < outage_ended && read.ended > begin && read.ended <= outage_ended)
          within.record(read.ended - read.began - read.no_core);
        longest_load_ = std::max<Nanos>(longest_load_, read.ended - read.began);
        store_reads_healthy_ += read.began >= healthy_from && read.ended < healthy_until ? 1 : 0;
      }
    }
    healthy_ = {healthy_from - zero_, healthy_until - zero_};
    evidence_.store_p99 = during.percentile(0.99);
    evidence_.store_p99_within = within.percentile(0.99);
    evidence_.worst_hiccup = hiccups.worst(begin, end);
    evidence_.cache_timeout = setting_.times.cache_timeout;
  }

  /// The race that invalidation alone loses: a reader has the old row in its hand while a writer
  /// commits the new one and invalidates; then the reader fills the cache.
  void slow_reader_meets_writer() {
    phase("slow reader against writer");
    const auto direct = setting_.backends.redis->direct_client();
    for (std::int64_t i = 0; i < kRacedProducts && !lab::stop_requested(); ++i) {
      const ProductId id{kRacedProduct + i};
      (void)direct->del({key_of(id)});
      nodes_.store(0).hold_next_reader_of(id);
      auto reader = std::async(std::launch::async, [&] {
        return timed([&] { return Workload::read(nodes_.catalog(0), id); });
      });
      raced_ += nodes_.store(0).wait_until_held(2s) ? 1 : 0;
      keep(timed([&] { return workload_.write(nodes_.catalog(1), id); }));
      nodes_.store(0).release();
      keep(reader.get());
      for (std::uint32_t node = 0; node < kNodes; ++node)
        keep(timed([&] { return Workload::read(nodes_.catalog(node), id); }));
    }
  }

  /// A node is killed when its write is committed and its entry not yet deleted. Nobody got an acknowledgement.
  void writer_dies_before_its_delete() {
    phase("writer killed between commit and delete");
    const ProductId id{kAbandonedProduct};
    for (std::uint32_t node = 0; node < kNodes; ++node)
      keep(timed([&] { return Workload::read(nodes_.catalog(node), id); }));
    Operation write{.key = id.value,
                    .aux = workload_.next_price().value,
                    .kind = kWrite,
                    .outcome = Outcome::info};
    const auto orders =
        doomed_writer_orders(setting_.recipe.variant, *setting_.backends.redis->address(),
                             setting_.backends.sql->address(), id, Cents{write.aux});
    write.planned = write.invoked = now() - zero_;
    lab::actors::Actor writer({.role = kDoomedWriterRole, .orders = orders});
    const auto ending = writer.wait(10s);
    write.returned = now() - zero_;
    writer_killed_ = ending && ending->signal == SIGKILL;
    keep(write);
    faults_.push_back({kAppCrash,
                       "a node",
                       setting_.recipe.variant,
                       lab::milliseconds(write.invoked),
                       lab::milliseconds(write.returned),
                       {}});
  }

  template <class Operate>
  Operation timed(const Operate& operate) const {
    const Nanos invoked = now() - zero_;
    Operation op = operate();
    op.planned = op.invoked = invoked;
    op.returned = now() - zero_;
    return op;
  }

  void keep(const Operation& op) { probes_.log(0).push_back(op); }

  /// B, from what was seen: see Evidence.
  void derive_bound() {
    using Freshness = Recipe::Freshness;
    const auto& [plan, backends, products, recipe, times] = setting_;
    const bool deletes_can_be_lost =
        plan.fault != "none" && plan.fault != "redis-kill" && plan.fault != "redis-pause";
    evidence_.at_once = recipe.freshness == Freshness::at_once ||
                        (recipe.freshness == Freshness::at_once_unless && !deletes_can_be_lost);
    evidence_.lifetime = recipe.freshness == Freshness::within_stale
                             ? times.ttl * 11 / 10 + times.stale_for
                             : times.ttl;
    // A fill is part of a read, or follows a load in the background within the cache's time limit. One that was sent to a
    // Redis that does not answer is carried out when it does, long after its caller gave up.
    Nanos longest_read = longest_load_;
    evidence_.history.for_each([&](const Operation& op) {
      if (op.kind == kRead) longest_read = std::max(longest_read, op.duration());
    });
    const bool silent = plan.fault == "redis-pause" || plan.fault == "redis-slow";
    evidence_.slowest_fill = longest_read + times.cache_timeout +
                             (silent ? evidence_.outage.end - fault_began_ : Nanos{});
  }

  void rest_and_compare() {
    evidence_.history.append(probes_);
    derive_bound();
    phase("rest, then compare");
    evidence_.settled = evidence_.bound();
    if (!lab::sleep_for(evidence_.settled + (evidence_.at_once ? 0ms : 5ms))) return;
    const auto stored = setting_.products.find_all();
    if (!stored) throw lab::Failure(stored.error());
    History at_rest(zero_);
    for (const auto& product : *stored) {
      for (std::uint32_t node = 0; node < kNodes; ++node) {
        const Operation read =
            timed([&] { return Workload::read(nodes_.catalog(node), product.id); });
        at_rest.log(0).push_back(read);
        ++evidence_.at_rest_asked;
        if (read.outcome == Outcome::ok)
          evidence_.at_rest.push_back({product.id, node, read.value, product.version});
      }
    }
    evidence_.history.append(at_rest);
  }

  std::vector<Guard> guards() const {
    const auto done = [&](const Operation& op) {
      return op.outcome == Outcome::ok && load_.contains(op.planned);
    };
    const auto reads = [&](const Window& window) {
      return evidence_.history.count([&](const Operation& op) {
        return op.kind == kRead && op.outcome == Outcome::ok && window.contains(op.planned);
      });
    };
    const std::size_t operations = evidence_.history.count(done);
    const std::size_t writes =
        evidence_.history.count([&](const Operation& op) { return op.kind == kWrite && done(op); });
    const auto planned =
        static_cast<std::size_t>(kRate * lab::seconds(setting_.plan.timing.load()));
    std::vector<Guard> guards{
        {"enough operations succeeded", operations * 2 >= planned,
         fmt::format("{} of about {} planned", operations, planned)},
        {"writes were acknowledged", writes >= 5, fmt::format("{}", writes)},
        {"every race took place", raced_ == kRacedProducts,
         fmt::format("{} of {}", raced_, kRacedProducts)},
    };
    if (setting_.plan.fault == "none") return guards;
    if (setting_.plan.fault == kAppCrash) {
      guards.push_back(
          {"the writer was killed after its commit", writer_killed_, "it ended in another way"});
      return guards;
    }
    const std::size_t hit =
        evidence_.history.count([&](const Operation& op) { return evidence_.outage.overlaps(op); });
    const std::size_t after = reads({evidence_.outage.end, load_.end});
    const auto effect = setting_.backends.redis->effect();
    guards.push_back({"clients of Redis felt the fault", effect.felt, effect.detail});
    guards.push_back(
        {"operations were in flight during the fault", hit > 0, fmt::format("{} operations", hit)});
    guards.push_back(
        {"reads succeeded before the fault", reads({load_.begin, fault_began_}) > 0, "none"});
    guards.push_back(
        {"reads succeeded after the fault", after > 0, fmt::format("{} reads", after)});
    return guards;
  }

  TrialReport report() {
    const History& history = evidence_.history;
    TrialReport report;
    report.checks = judge_all(checks(), evidence_);
    report.guards = guards();
    report.faults = faults_;
    report.metrics = {single_sample("staleness_max_ms", "ms", Better::lower,
                                    lab::milliseconds(largest_staleness(evidence_))),
                      single_sample("staleness_bound_ms", "ms", Better::neither,
                                    lab::milliseconds(evidence_.bound()))};
    const auto healthy_reads = history.count(
        [&](const Operation& op) { return op.kind == kRead && healthy_.contains(op.planned); });
    if (healthy_reads > 0) {
      report.metrics.push_back(single_sample(
          "store_reads_per_read", "1", Better::lower,
          static_cast<double>(store_reads_healthy_) / static_cast<double>(healthy_reads)));
    }
    if (evidence_.expires) {
      report.metrics.push_back(
          single_sample("loads_per_expiry", "1", Better::lower,
                        static_cast<double>(most_loads_per_expiry(evidence_))));
    }
    if (evidence_.outage.length() > Nanos{}) {
      const auto in_outage = [&](const Operation& op) {
        return op.kind == kRead && evidence_.outage.contains(op.planned);
      };
      const auto reads = history.latencies(in_outage);
      const auto failed = history.count(
          [&](const Operation& op) { return in_outage(op) && op.outcome != Outcome::ok; });
      report.metrics.push_back(
          single_sample("outage_reads", "1", Better::neither, static_cast<double>(reads.count())));
      report.metrics.push_back(
          single_sample("outage_failed_reads", "1", Better::lower, static_cast<double>(failed)));
      if (failed == 0 && reads.count() > 0) {
        report.metrics.push_back(single_sample("outage_failed_share_upper_95", "1", Better::neither,
                                               rule_of_three(reads.count())));
      }
      report.metrics.push_back(single_sample("outage_read_p99_ms", "ms", Better::lower,
                                             lab::milliseconds(reads.percentile(0.99))));
      report.metrics.push_back(single_sample("outage_longest_read_ms", "ms", Better::lower,
                                             lab::milliseconds(reads.max())));
      report.histograms["outage_read"] = reads;
    }
    report.timeseries = timeseries();
    return report;
  }

  std::vector<TimePoint> timeseries() const {
    constexpr Nanos kStep = 50ms;
    std::vector<TimePoint> points;
    for (Nanos t = load_.begin; t < load_.end; t += kStep) {
      const Window step{t, t + kStep};
      const auto within = [&](const Operation& op) {
        return op.kind == kRead && step.contains(op.planned);
      };
      const Histogram latencies = evidence_.history.latencies(within);
      const auto failed = evidence_.history.count(
          [&](const Operation& op) { return within(op) && op.outcome != Outcome::ok; });
      const bool faulty = evidence_.outage.begin < step.end && evidence_.outage.end > step.begin;
      points.push_back({lab::milliseconds(t - load_.begin), latencies.count(), failed,
                        lab::microseconds(latencies.percentile(0.5)),
                        lab::microseconds(latencies.percentile(0.99)),
                        faulty ? setting_.plan.fault : ""});
    }
    return points;
  }

  const Setting& setting_;
  EventStream& events_;
  Nodes nodes_;
  Instant zero_;
  Workload workload_;
  Evidence evidence_;
  History probes_{zero_};
  Window load_;
  Nanos load_began_{};
  Nanos fault_began_{};  // the outage begins when the fault is surely in force, a little later
  std::vector<FaultTime> faults_;
  std::int64_t raced_ = 0;
  bool writer_killed_ = false;
  Nanos longest_load_{};
  Window healthy_;  // the load after its warm-up and before the fault
  std::uint64_t store_reads_healthy_ = 0;
};

/// Reads only, from a warm cache, as fast as answers come.
void measure_capacity(const Setting& setting, Nodes& nodes, std::uint64_t seed,
                      RoundReport& report) {
  Workload reads_only(0);
  nodes.warm_up();
  const ClosedLoad load{
      .clients = kClients, .duration = setting.plan.timing.round / 2, .seed = seed};
  const Instant zero = now();
  const History history = closed_loop(zero, load, [&](std::uint32_t client, lab::Random& random) {
    return reads_only.operate(nodes.catalog(client), random);
  });
  const Nanos took = now() - zero;
  const std::size_t wrong =
      history.count([](const Operation& op) { return op.outcome != Outcome::ok; });
  if (wrong > 0)
    report.spoiled = fmt::format("{} of {} reads of the speed run failed", wrong, history.size());
  report.metrics.push_back(single_sample("reads_per_second", "1/s", Better::higher,
                                         static_cast<double>(history.size()) / lab::seconds(took)));
}

/// The mix of reads and writes at a fixed rate: latency from the planned start.
void measure_latency(const Setting& setting, Nodes& nodes, std::uint64_t seed,
                     RoundReport& report) {
  Workload mix;
  const OpenLoad load{.operations_per_second = kRate,
                      .in_flight = kInFlight,
                      .duration = setting.plan.timing.round / 2,
                      .seed = seed};
  const History history = open_loop(now(), load, [&](std::uint32_t client, lab::Random& random) {
    return mix.operate(nodes.catalog(client), random);
  });
  const Histogram reads = history.latencies([](const Operation& op) { return op.kind == kRead; });
  if (reads.empty()) return;
  report.metrics.push_back(
      {"read_p50_us", "us", Better::lower, {lab::microseconds(reads.percentile(0.50))}});
  report.metrics.push_back(
      {"read_p99_us", "us", Better::lower, {lab::microseconds(reads.percentile(0.99))}});
  report.histograms["read"] = reads;
}

}  // namespace

double fault_run_rate() {
  return kRate;
}

TrialReport run_with_fault(const Setting& setting, EventStream& events) {
  return FaultRun(setting, events).run();
}

RoundReport run_timed_round(const Setting& setting, int index) {
  RoundReport report;
  empty_cache(setting);
  Nodes nodes(setting, Nodes::Path::direct);
  const std::uint64_t seed = setting.plan.flags.seed * 1000 + static_cast<std::uint64_t>(index);
  measure_capacity(setting, nodes, seed, report);
  measure_latency(setting, nodes, seed, report);
  return report;
}

}  // namespace cache_aside
