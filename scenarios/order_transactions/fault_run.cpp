#include "fault_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <unordered_map>

#include "actors/actor_pool.h"
#include "actors/crash_points.h"
#include "actors/operation_log.h"
#include "books.h"
#include "checks.h"
#include "client.h"
#include "core/stop.h"
#include "harness/statistics.h"

namespace order_transactions {
namespace {

using lab::Instant;
using lab::now;
using lab::actors::ActorPool;
using lab::actors::CrashPoints;
using namespace lab::harness;
using namespace std::chrono_literals;

/// For what comes when it comes: the first orders, the last planned death, the end of a call that waits for a lock.
constexpr Nanos kPatience = 60s;
constexpr std::size_t kSome = 20;   // orders
constexpr std::int64_t kSales = 8;  // sold out: the last item has been fought for often enough

/// A run in the making: what is collected on the way to the checks.
class FaultRun {
 public:
  FaultRun(const Setting& setting, EventStream& events)
      : setting_(setting),
        events_(events),
        folder_(setting.backends.folder / fmt::format("run-{}", setting.season.number)),
        zero_(now()),
        evidence_(zero_) {
    std::filesystem::create_directory(folder_);
    points_.emplace(crash_points_file(folder_), steps_of(setting.recipe));
  }

  TrialReport run() {
    stock_up();
    clients_buy();
    read_histories();
    ask_for_what_is_open();
    phase("reading the books");
    read_books(setting_.sql, setting_.season, setting_.recipe, evidence_);
    return report();
  }

 private:
  void phase(const char* name) {
    events_.emit("phase", {{"variant", setting_.recipe.variant}, {"name", std::string(name)}});
  }

  void stock_up() {
    const auto stock = setting_.season.stock();
    order_transactions::stock_up(setting_.sql, stock);
    for (const auto& [product, count] : stock) evidence_.initial[product.value] = count;
  }

  std::vector<std::vector<lab::actors::Death>> deaths() const {
    if (setting_.plan.fault != kAppCrash) return {};
    return lab::actors::plan_deaths({.seed = setting_.plan.flags.seed,
                                     .actors = kClients,
                                     .kills = planned_kills(setting_.plan),
                                     .points = steps_of(setting_.recipe),
                                     .duration = setting_.plan.timing.load(),
                                     .most_passings = setting_.plan.flags.quick ? 2u : 8u});
  }

  std::string orders_of(std::size_t index, std::size_t life,
                        const lab::actors::Death* death) const {
    ClientOrders orders{.variant = setting_.recipe.variant,
                        .sql_url = setting_.backends.sql->address().url(),
                        .folder = folder_,
                        .client = static_cast<std::uint32_t>(index),
                        .life = life,
                        .seed = setting_.plan.flags.seed,
                        .season = setting_.season,
                        .resets = setting_.plan.fault == kReset};
    if (death && !death->point.empty()) {
      orders.death_at = death->point;
      orders.death_passing = death->passing;
      orders.death_after = death->after;
    }
    return orders.text();
  }

  void clients_buy() {
    phase("clients buy");
    const Timing& timing = setting_.plan.timing;
    lab::faults::FaultPlan plan(setting_.backends.sql->faults(timing));
    Watcher watcher(setting_.sql, setting_.season, zero_);
    ActorPool clients({.role = kClientRole,
                       .actors = kClients,
                       .deaths = deaths(),
                       .points = &*points_,
                       .orders = [this](auto index, auto life, auto* death) {
                         return orders_of(index, life, death);
                       }});
    await([&] { return acknowledged_since(Nanos{}) >= kSome || !clients.problem().empty(); });
    load_.begin = now() - zero_;
    plan.start(now(), [&](const lab::faults::FaultRecord& fault, bool ended) {
      events_.emit("fault", {{"variant", setting_.recipe.variant},
                             {"name", fault.name},
                             {"target", fault.target},
                             {"state", std::string(ended ? "ended" : "began")}});
    });
    (void)lab::sleep_for(timing.load() - timing.recovery);
    keep_faults(plan.finish());  // the recovery begins when the fault has really ended
    (void)lab::sleep_for(timing.recovery);
    await([&] {
      return acknowledged_since(outage_.end) >= kSome && all_deaths_died(clients) &&
             sales_over() >= kSales;
    });
    load_.end = now() - zero_;
    const bool finished = clients.terminate(kPatience);
    evidence_.watched = watcher.stop();
    if (lab::stop_requested()) return;
    if (!finished) throw lab::Failure("the clients do not come to an end");
    if (auto problem = clients.problem(); !problem.empty()) throw lab::Failure(problem);
    counts_ = clients.counts();
    keep_deaths(clients.deaths());
  }

  /// Until it is so, or patience is at its end: then the guards say what is missing.
  template <class Condition>
  static void await(const Condition& condition) {
    for (const Instant end = now() + kPatience; !condition() && now() < end;) {
      if (!lab::sleep_for(2ms)) return;
    }
  }

  std::size_t acknowledged_since(Nanos begin) const {
    std::size_t count = 0;
    for (std::uint32_t client = 0; client < kClients; ++client) {
      for (const auto& op : lab::actors::read_operations(history_of(folder_, client), zero_, {}))
        count += op.outcome == Outcome::ok && op.value != 0 && op.returned > begin ? 1 : 0;
    }
    return count;
  }

  /// How far the clients have come: so many products have been sold out.
  std::int64_t sales_over() const {
    std::int64_t farthest = 0;
    for (std::uint32_t client = 0; client < kClients; ++client) {
      for (const auto& op : lab::actors::read_operations(history_of(folder_, client), zero_, {})) {
        const auto product = Wish::unpacked(op.aux).product;
        farthest = std::max(farthest, setting_.season.sale_of(product));
      }
    }
    return farthest;
  }

  bool all_deaths_died(const ActorPool& clients) const {
    if (setting_.plan.fault != kAppCrash) return true;
    const auto counts = clients.counts();
    return counts.killed_at_points + counts.killed_at_random >= planned_kills(setting_.plan) ||
           !clients.problem().empty();
  }

  void keep_faults(const std::vector<lab::faults::FaultRecord>& records) {
    for (const auto& record : records) {
      if (!record.error.empty()) throw lab::Failure("fault " + record.name + ": " + record.error);
      outage_ = {load_.begin + record.began, load_.begin + record.ended};
      faults_.push_back({record.name,
                         record.target,
                         setting_.recipe.variant,
                         lab::milliseconds(outage_.begin),
                         lab::milliseconds(outage_.end),
                         {}});
    }
  }

  void keep_deaths(const std::vector<lab::actors::Died>& deaths) {
    for (const auto& died : deaths) {
      const double at = lab::milliseconds(died.at - zero_);
      faults_.push_back(
          {kAppCrash,
           fmt::format("client {}, {}", died.actor, died.point.empty() ? "at random" : died.point),
           setting_.recipe.variant,
           at,
           at,
           {}});
    }
  }

  void read_histories() {
    const Nanos end = now() - zero_;
    evidence_.history = History(zero_, kClients + 1);
    for (std::uint32_t client = 0; client < kClients; ++client) {
      auto& log = evidence_.history.log(client);
      log = lab::actors::read_operations(history_of(folder_, client), zero_, end);
      // One that was killed knew nothing any more when its successor began.
      for (std::size_t i = 0; i + 1 < log.size(); ++i)
        log[i].returned = std::min(log[i].returned, log[i + 1].invoked);
    }
  }

  /// What a client could not bring to an end before the load's was over, a survivor asks again, with the same key.
  void ask_for_what_is_open() {
    phase("asking again for what got no answer");
    const auto desk = setting_.recipe.make(setting_.sql);
    auto& answers = evidence_.history.log(kClients);
    for (std::uint32_t client = 0; client < kClients && !lab::stop_requested(); ++client) {
      const auto& log = evidence_.history.log(client);
      if (log.empty()) continue;
      // Only a client's last request can be open: it asks for nothing else before it knows.
      const std::int64_t request = log.back().key;
      std::int64_t attempts = 0;
      bool open = false;
      for (auto op = log.rbegin(); op != log.rend() && op->key == request; ++op) {
        attempts = std::max(attempts, attempt_of(OrderId{op->value}));
        open |= op->outcome == Outcome::info;
      }
      if (!open || log.back().outcome == Outcome::ok) continue;
      answers.push_back(ask_until_known(*desk, request, attempts + 1, log.back().aux));
    }
  }

  Operation ask_until_known(OrderDesk& desk, std::int64_t request, std::int64_t attempt,
                            std::int64_t aux) {
    Wish wish = Wish::unpacked(aux);
    wish.conflicts = 0;
    wish.ended_in_conflict = false;
    const Nanos invoked = now() - zero_;
    Operation answer;
    for (int tries = 0; tries < 500 && attempt < kMostAttempts; ++tries) {
      answer = ask(desk, request_for(request, attempt, wish), wish);
      if (answer.outcome == Outcome::ok) break;
      attempt += answer.outcome == Outcome::info ? 1 : 0;
      std::this_thread::sleep_for(5ms);
    }
    answer.kind = kRetry;
    answer.client = kClients;
    answer.planned = answer.invoked = invoked;
    answer.returned = now() - zero_;
    return answer;
  }

  std::size_t ordered(const Window& window) const {
    return evidence_.history.count([&](const Operation& op) {
      return op.outcome == Outcome::ok && op.value != 0 && window.contains(op.returned);
    });
  }

  std::size_t unknown() const {
    return evidence_.history.count([](const Operation& op) { return op.outcome == Outcome::info; });
  }

  std::vector<Guard> guards() const {
    const Window all{Nanos::min(), Nanos::max()};
    const std::size_t sold_out = evidence_.history.count(
        [](const Operation& op) { return op.outcome == Outcome::ok && op.value == 0; });
    std::vector<Guard> guards{
        {"enough orders were acknowledged", ordered(all) >= 30, fmt::format("{}", ordered(all))},
        {"products were sold out", sold_out > 0, fmt::format("{} such answers", sold_out)},
        {"nobody died who was not to", counts_.died_unplanned == 0,
         fmt::format("{} clients did", counts_.died_unplanned)},
    };
    if (setting_.plan.fault == kAppCrash) add_crash_guards(guards);
    if (setting_.plan.fault == kReset)
      guards.push_back({"commits were left without an answer", unknown() > 0, "none was"});
    if (outage_.length() > Nanos{}) add_outage_guards(guards);
    return guards;
  }

  void add_crash_guards(std::vector<Guard>& guards) const {
    std::string missed;
    for (const auto& [point, passed, hits] : points_->counts()) {
      if (hits == 0) missed += " " + point;
    }
    guards.push_back({"clients died at every crash point", missed.empty(), "not at:" + missed});
    guards.push_back({"kills met orders in flight", unknown() > 0,
                      fmt::format("{} of {} kills", unknown(), kills())});
  }

  void add_outage_guards(std::vector<Guard>& guards) const {
    const std::size_t hit = evidence_.history.count(
        [&](const Operation& op) { return outage_.overlaps(op) && op.outcome != Outcome::ok; });
    const bool paused = setting_.plan.fault == "db-pause";
    const std::size_t waited = evidence_.history.count([&](const Operation& op) {
      return outage_.overlaps(op) && op.duration() > outage_.length() / 2;
    });
    guards.push_back({"clients felt the fault", paused ? waited > 0 : hit > 0,
                      fmt::format("{} calls failed, {} waited for it", hit, waited)});
    const std::size_t before = ordered({Nanos::min(), outage_.begin});
    const std::size_t after = ordered({outage_.end, Nanos::max()});
    guards.push_back({"orders were taken before and after the fault", before > 0 && after > 0,
                      fmt::format("{} before, {} after", before, after)});
  }

  std::size_t kills() const { return counts_.killed_at_points + counts_.killed_at_random; }

  TrialReport report() {
    TrialReport report;
    report.checks = judge_all(checks(), evidence_);
    report.guards = guards();
    report.faults = faults_;
    report.metrics = metrics();
    report.timeseries = timeseries();
    report.histograms["order"] = evidence_.history.latencies(
        [](const Operation& op) { return op.outcome == Outcome::ok && op.value != 0; });
    return report;
  }

  std::vector<Metric> metrics() const {
    std::vector<Metric> metrics;
    const auto add = [&](std::string name, std::string unit, Better better, double value) {
      metrics.push_back({std::move(name), std::move(unit), better, {value}});
    };
    const auto count = [&](std::string name, Better better, auto value) {
      add(std::move(name), "1", better, static_cast<double>(value));
    };
    Nanos longest{};
    std::int64_t conflicts = 0;
    evidence_.history.for_each([&](const Operation& op) {
      longest = std::max(longest, op.duration());
      conflicts += Wish::unpacked(op.aux).conflicts;
    });
    const std::int64_t wrong = oversold(evidence_) + undersold(evidence_) + duplicates(evidence_) +
                               static_cast<std::int64_t>(evidence_.orphans.size());
    count("orders", Better::neither, evidence_.orders.size());
    count("oversold", Better::lower, oversold(evidence_));
    count("undersold", Better::lower, undersold(evidence_));
    count("orphans", Better::lower, evidence_.orphans.size());
    count("duplicates", Better::lower, duplicates(evidence_));
    if (wrong == 0 && !evidence_.orders.empty())
      add("wrong_share_upper_95", "1", Better::neither, rule_of_three(evidence_.orders.size()));
    count("unanswered", Better::neither, unknown());
    count("conflicts", Better::lower, conflicts);
    add("longest_call_ms", "ms", Better::lower, lab::milliseconds(longest));
    if (setting_.plan.fault != kAppCrash) return metrics;
    count("kills", Better::neither, kills());
    count("killed_at_random", Better::neither, counts_.killed_at_random);
    for (const auto& [point, passed, hits] : points_->counts())
      count("killed_" + point, Better::neither, hits);
    return metrics;
  }

  std::vector<TimePoint> timeseries() const {
    constexpr std::int64_t kPoints = 60;
    const Nanos step = std::max<Nanos>(load_.length() / kPoints, 1ms);
    std::vector<Histogram> answered(kPoints + 1);
    std::vector<std::uint64_t> failed(kPoints + 1);
    evidence_.history.for_each([&](const Operation& op) {
      const auto index = static_cast<std::size_t>(
          std::clamp<std::int64_t>((op.invoked - load_.begin) / step, 0, kPoints));
      if (op.outcome == Outcome::ok)
        answered[index].record(op.duration());
      else
        ++failed[index];
    });
    std::vector<TimePoint> points;
    for (std::size_t i = 0; i < kPoints; ++i) {
      const Nanos begin = load_.begin + static_cast<std::int64_t>(i) * step;
      const bool faulty = outage_.begin < begin + step && outage_.end > begin;
      points.push_back({lab::milliseconds(begin - load_.begin), answered[i].count(), failed[i],
                        lab::microseconds(answered[i].percentile(0.5)),
                        lab::microseconds(answered[i].percentile(0.99)),
                        faulty ? setting_.plan.fault : ""});
    }
    return points;
  }

  const Setting& setting_;
  EventStream& events_;
  std::filesystem::path folder_;
  Instant zero_;
  Evidence evidence_;
  std::optional<CrashPoints> points_;
  Window load_, outage_;
  lab::actors::PoolCounts counts_;
  std::vector<FaultTime> faults_;
};

}  // namespace

std::size_t planned_kills(const RunPlan& plan) {
  if (plan.flags.kills) return static_cast<std::size_t>(*plan.flags.kills);
  return plan.flags.quick ? 12 : 60;
}

TrialReport run_with_fault(const Setting& setting, EventStream& events) {
  return FaultRun(setting, events).run();
}

}  // namespace order_transactions
