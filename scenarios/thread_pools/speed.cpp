#include "speed.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include <nlohmann/json.hpp>

#include "actors/role.h"
#include "checks.h"
#include "core/result.h"
#include "harness/exit_status.h"
#include "scripts.h"

namespace thread_pools {
namespace {

using lab::Instant;
using lab::now;
using nlohmann::json;
using namespace lab::harness;
using namespace std::chrono_literals;

constexpr std::size_t kRoomForAll = std::size_t{1} << 22;  // no submission is turned away
constexpr std::size_t kClockEvery = 256;                   // empty tasks between two looks at it
constexpr std::size_t kMostEmptyTasks = 400'000;

/// Counts ended tasks without making the workers meet: one number a thread, summed by who waits.
class Tally {
 public:
  void count() { own().fetch_add(1, std::memory_order_relaxed); }
  std::size_t sum() const {
    std::size_t all = 0;
    for (const auto& slot : slots_) all += slot.ended.load(std::memory_order_acquire);
    return all;
  }

 private:
  struct alignas(64) Slot {
    std::atomic<std::size_t> ended{0};
  };
  std::atomic<std::size_t>& own() {
    static std::atomic<std::size_t> next{0};
    static thread_local const std::size_t number = next.fetch_add(1);
    return slots_[number % slots_.size()].ended;
  }
  std::array<Slot, 64> slots_;
};

Task counted(Tally& tally, const std::function<void()>& work) {
  return Task(
      [&tally, &work] {
        work();
        tally.count();
      },
      [](std::exception_ptr) {});
}

/// A pool from its first task to the end of its last.
struct Batch {
  std::size_t tasks = 0;
  Nanos took{};
  double per_second() const { return static_cast<double>(tasks) / lab::seconds(took); }
  double each_ns() const { return static_cast<double>(took.count()) / static_cast<double>(tasks); }
};

/// Submits `tasks` tasks, or as many as it can until `limit` has passed, and waits until all have run.
Batch run_batch(const Recipe& recipe, std::size_t workers, std::size_t tasks, Nanos limit,
                const std::function<Task(Tally&)>& make) {
  Tally tally;
  const auto pool = recipe.make({.workers = workers, .queue_limit = kRoomForAll});
  const Instant begin = now();
  Batch batch;
  for (; batch.tasks < tasks; ++batch.tasks) {
    if (batch.tasks % kClockEvery == 0 && now() - begin > limit) break;
    (void)pool->submit(make(tally));
  }
  (void)pool->shutdown(Shutdown::drain);
  while (tally.sum() < batch.tasks) std::this_thread::yield();  // one drains and does not wait
  batch.took = now() - begin;
  return batch;
}

Batch run_work(const Recipe& recipe, std::size_t workers, std::size_t tasks,
               const std::function<void()>& work) {
  return run_batch(recipe, workers, tasks, Nanos::max(),
                   [&work](Tally& tally) { return counted(tally, work); });
}

Task empty_task(Tally& tally) {
  return Task([&tally] { tally.count(); }, [](std::exception_ptr) {});
}

std::function<void()> hashing(const HashCost& cost) {
  return [cost] {
    static thread_local std::uint64_t salt = 0;
    (void)hash_password("correct horse", ++salt, cost);
  };
}

std::size_t tasks_in(Nanos length, Nanos each, std::size_t workers) {
  return std::max<std::size_t>(
      workers, static_cast<std::size_t>(length / std::max(each, Nanos(1))) * workers);
}

class Round {
 public:
  explicit Round(const RoundOrders& orders) : orders_(orders), recipe_(recipe_of(orders.variant)) {}

  RoundReport run() {
    hashes();
    empty_tasks();
    pool_sizes();
    task_sizes();
    bystander();
    return std::move(report_);
  }

 private:
  void add(std::string name, const char* unit, Better better, double value) {
    report_.metrics.push_back(single_sample(std::move(name), unit, better, value));
  }

  double per_second(const HashCost& cost, std::size_t workers, Nanos length) {
    const std::size_t tasks = tasks_in(length, 1ms, orders_.cores);
    return run_work(recipe_, workers, tasks, hashing(cost)).per_second();
  }

  void hashes() {
    add("hashes_per_second", "1/s", Better::higher,
        per_second(orders_.pbkdf2, orders_.cores, 2 * orders_.length));
    add("argon2id_per_second", "1/s", Better::higher,
        per_second(orders_.argon2id, orders_.cores, 2 * orders_.length));
  }

  void empty_tasks() {
    const auto batch =
        run_batch(recipe_, orders_.cores, kMostEmptyTasks, orders_.length, empty_task);
    add("empty_task_ns", "ns", Better::lower, batch.each_ns());
  }

  void pool_sizes() {
    const auto measure = [this](const char* name, std::size_t workers) {
      add(fmt::format("hashes_per_second_with_{}", name), "1/s", Better::higher,
          per_second(orders_.pbkdf2, workers, orders_.length / 2));
    };
    measure("one_worker", 1);
    measure("2x_workers", 2 * orders_.cores);
    measure("4x_workers", 4 * orders_.cores);
  }

  /// Of the time of all cores, what was the tasks' own.
  void task_sizes() {
    for (const std::uint64_t us : {1, 10, 100}) {
      const Nanos each = std::chrono::microseconds(us);
      const std::size_t tasks = tasks_in(orders_.length / 3, each, orders_.cores);
      const auto batch =
          run_batch(recipe_, orders_.cores, tasks, orders_.length, [&, us](Tally& tally) {
            return Task(
                [&tally, steps = us * orders_.steps_per_us] {
                  compute(steps);
                  tally.count();
                },
                [](std::exception_ptr) {});
          });
      const double own = static_cast<double>(each.count()) * static_cast<double>(batch.tasks);
      add(fmt::format("own_share_{}us_percent", us), "percent", Better::higher,
          100 * own /
              (static_cast<double>(batch.took.count()) * static_cast<double>(orders_.cores)));
    }
  }

  /// The storm of logins once more: what the API's other requests wait.
  void bystander() {
    Orders storm{.variant = orders_.variant, .script = kLogins, .fault = kBurst};
    storm.size = {.workers = orders_.cores, .queue_limit = 16};
    storm.seed = orders_.seed;
    storm.logins = orders_.logins;
    storm.patience = 10s;
    const auto evidence =
        play(storm, recipe_, [](const ScriptEvidence&) { ::_exit(kInconclusive); });
    Histogram histogram;
    for (const auto& each : evidence.bystanders) histogram.record(Nanos(each.latency));
    add("bystander_p50_us", "us", Better::lower, lab::microseconds(histogram.percentile(0.5)));
    add("bystander_p99_us", "us", Better::lower, lab::microseconds(bystander_p99(evidence)));
    report_.histograms["bystander"] = std::move(histogram);
  }

  const RoundOrders& orders_;
  const Recipe& recipe_;
  RoundReport report_;
};

Limit limit(std::string name, const char* metric, const char* unit, double sample) {
  return {.name = std::move(name),
          .metric = metric,
          .unit = unit,
          .samples = {sample},
          .best = {},
          .ratio = {}};
}

double bare_per_second(const HashCost& cost, Nanos length) {
  const std::size_t all = tasks_in(length, 1ms, 1);
  const auto work = hashing(cost);
  const Instant begin = now();
  for (std::size_t done = 0; done < all; ++done) work();
  return static_cast<double>(all) / lab::seconds(now() - begin);
}

double bare_task_ns() {
  constexpr std::size_t kTasks = 1'000'000;
  Tally tally;
  const Instant begin = now();
  for (std::size_t i = 0; i < kTasks; ++i) {
    Task task = empty_task(tally);
    task.run();
  }
  return static_cast<double>((now() - begin).count()) / kTasks;
}

json cost_to_json(const HashCost& cost) {
  return {static_cast<int>(cost.kind), cost.passes, cost.memory_kib};
}

HashCost cost_from_json(const json& from) {
  return {.kind = static_cast<HashKind>(from.at(0).get<int>()),
          .passes = from.at(1),
          .memory_kib = from.at(2)};
}

std::string to_json(const RoundReport& report) {
  json text{{"metrics", json::array()}};
  for (const auto& metric : report.metrics)
    text["metrics"].push_back(
        {metric.name, metric.unit, static_cast<int>(metric.better), metric.samples.front()});
  return text.dump();
}

}  // namespace

std::string to_json(const RoundOrders& orders) {
  return json{{"variant", orders.variant},
              {"cores", orders.cores},
              {"length_ns", orders.length.count()},
              {"pbkdf2", cost_to_json(orders.pbkdf2)},
              {"argon2id", cost_to_json(orders.argon2id)},
              {"steps_per_us", orders.steps_per_us},
              {"logins", orders.logins},
              {"seed", orders.seed}}
      .dump();
}

RoundOrders round_orders_from_json(const std::string& text) {
  const json from = json::parse(text);
  return {.variant = from.at("variant"),
          .cores = from.at("cores"),
          .length = Nanos(from.at("length_ns").get<std::int64_t>()),
          .pbkdf2 = cost_from_json(from.at("pbkdf2")),
          .argon2id = cost_from_json(from.at("argon2id")),
          .steps_per_us = from.at("steps_per_us"),
          .logins = from.at("logins"),
          .seed = from.at("seed")};
}

RoundReport measure_round(const RoundOrders& orders) {
  return Round(orders).run();
}

RoundReport report_from_json(const std::string& text) {
  const json from = json::parse(text);
  RoundReport report;
  for (const auto& metric : from.at("metrics"))
    report.metrics.push_back({metric.at(0),
                              metric.at(1),
                              static_cast<Better>(metric.at(2).get<int>()),
                              {metric.at(3).get<double>()}});
  return report;
}

int round_main() {
  const auto orders = round_orders_from_json(lab::actors::take_orders());
  lab::actors::tell_run(to_json(measure_round(orders)));
  ::_exit(kAsPromised);
}

std::vector<Limit> measure_limits(const RoundOrders& orders) {
  const auto alone = [&](const HashCost& cost) {
    return static_cast<double>(orders.cores) * bare_per_second(cost, 2 * orders.length);
  };
  return {
      limit("PBKDF2 on one core alone, times the cores", "hashes_per_second", "1/s",
            alone(orders.pbkdf2)),
      limit("Argon2id on one core alone, times the cores", "argon2id_per_second", "1/s",
            alone(orders.argon2id)),
      limit("an empty task in a bare loop", "empty_task_ns", "ns", bare_task_ns()),
  };
}

}  // namespace thread_pools
