#include "speed.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "core/stop.h"

namespace queue_retries {
namespace {

using lab::Instant;
using lab::now;
using namespace lab::harness;
using namespace std::chrono_literals;

constexpr Nanos kNoLease = 60s;  // none runs out while speed is measured

/// Notes when the last of so many calls came.
class InstantProvider : public Provider {
 public:
  explicit InstantProvider(std::size_t expected) : expected_(expected) {}
  Result<void> send(std::string_view, int) override { return done(); }
  Result<void> send_once(std::string_view, int, std::string_view) override { return done(); }
  std::size_t calls() const { return calls_.load(); }
  Instant last() const { return last_; }  // once calls() is what was expected

 private:
  Result<void> done() {
    if (calls_.fetch_add(1) + 1 == expected_) last_ = now();
    return {};
  }
  const std::size_t expected_;
  std::atomic<std::size_t> calls_{0};
  Instant last_{};
};

class TimedRound {
 public:
  explicit TimedRound(const Setting& setting)
      : setting_(setting),
        jobs_(jobs_in_round(setting.plan, setting.recipe.store)),
        place_(new_place(setting)) {}

  RoundReport run() {
    add("enqueued_per_second", measure(1));
    add("drained_per_second", measure(2));
    add("both_per_second", measure(3));
    return std::move(report_);
  }

 private:
  static QueuePlace new_place(const Setting& setting) {
    static int count = 0;
    QueuePlace place = place_of(setting, fmt::format("speed-{}", ++count), false);
    place.lease = kNoLease;
    return place;
  }

  void add(const char* name, Nanos took) {
    report_.metrics.push_back(
        {name, "1/s", Better::higher, {static_cast<double>(jobs_) / lab::seconds(took)}});
  }

  /// `what`: 1 producers, 2 workers, 3 both. Each thread has connections of its own, opened before.
  Nanos measure(int what) {
    const bool produce = what & 1, consume = what & 2;
    InstantProvider provider(jobs_);
    std::atomic<std::size_t> next{0};
    std::vector<Connected> connections;
    for (std::size_t i = 0; i < 2 * kThreads; ++i) {
      connections.push_back(connect(place_, setting_.recipe));
      (void)connections.back().queue().counts();
    }
    const Instant begin = now();
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < kThreads; ++i) {
        if (produce) threads.emplace_back([&, i] { enqueue(connections[i], next); });
        if (consume) threads.emplace_back([&, i] { drain(connections[kThreads + i], provider); });
      }
    }
    if (!consume) return now() - begin;
    if (provider.calls() == jobs_) return provider.last() - begin;
    spoil(fmt::format("{} of {} jobs were done", provider.calls(), jobs_));
    return now() - begin;
  }

  void enqueue(Connected& connected, std::atomic<std::size_t>& next) {
    for (;;) {
      const std::size_t first = next.fetch_add(kBatch);
      if (first >= jobs_) return;
      std::vector<lab::queue::NewJob> jobs;
      std::vector<JobList::Item> items;
      for (std::size_t i = first; i < std::min(jobs_, first + kBatch); ++i) {
        const Job job{.number = static_cast<std::int64_t>(++made_)};
        jobs.push_back({.id = job.id(), .payload = encode(job)});
        items.push_back({jobs.back().payload});
      }
      const bool in_list = setting_.recipe.store == Store::list;
      if (in_list ? !connected.list->push(items) : !connected.queue().enqueue(jobs))
        spoil("an enqueue failed");
    }
  }

  void drain(Connected& connected, InstantProvider& provider) {
    const auto worker = setting_.recipe.make({.queue = connected.queue(),
                                              .list = *connected.list,
                                              .provider = provider,
                                              .retry = {},
                                              .name = "speed",
                                              .lease = kNoLease});
    while (provider.calls() < jobs_ && spoiled_.load() == false && !lab::stop_requested()) {
      if (!worker->work(kBatch, 20ms)) spoil("a claim failed");
    }
    worker->finish();
  }

  void spoil(std::string why) {
    if (!spoiled_.exchange(true)) report_.spoiled = std::move(why);
  }

  const Setting& setting_;
  const std::size_t jobs_;
  const QueuePlace place_;
  std::atomic<std::size_t> made_{0};
  std::atomic<bool> spoiled_{false};
  RoundReport report_;
};

}  // namespace

std::size_t jobs_in_round(const RunPlan& plan, Store store) {
  if (plan.backend == Backend::embedded) return plan.flags.quick ? 64 : 192;
  // A rate needs no more of a queue that is slower.
  if (store == Store::broker) return plan.flags.quick ? 512 : 2'048;
  return plan.flags.quick ? 2'048 : 8'192;
}

RoundReport run_timed_round(const Setting& setting) {
  return TimedRound(setting).run();
}

}  // namespace queue_retries
