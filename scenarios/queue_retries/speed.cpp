#include "speed.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "core/stop.h"
#include "infra/redis_connection.h"
#include "queue/redis_queue_scripts.h"

namespace queue_retries {
namespace {

using lab::Instant;
using lab::now;
using namespace lab::harness;
using namespace std::chrono_literals;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kBatch = kInFlight / kThreads;
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

std::size_t jobs_in_round(const Setting& setting) {
  if (setting.plan.backend == Backend::embedded) return setting.plan.flags.quick ? 64 : 192;
  // A rate needs no more of a queue that is slower.
  if (setting.recipe.store == Store::broker) return setting.plan.flags.quick ? 512 : 2'048;
  return setting.plan.flags.quick ? 2'048 : 8'192;
}

class TimedRound {
 public:
  explicit TimedRound(const Setting& setting)
      : setting_(setting), jobs_(jobs_in_round(setting)), place_(new_place(setting)) {}

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
      connections.push_back(connect(place_));
      (void)connections.back().queue->counts();
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
      if (in_list ? !connected.list->push(items) : !connected.queue->enqueue(jobs))
        spoil("an enqueue failed");
    }
  }

  void drain(Connected& connected, InstantProvider& provider) {
    const auto worker = setting_.recipe.make({.queue = *connected.queue,
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

/// The queue's scripts as bytes on the wire, on a queue of this connection's own: with one connection it is known
/// beforehand which jobs a claim gets, and each turn completes those of the one before.
class Requests {
 public:
  explicit Requests(std::size_t connection) : key_(fmt::format("{{queue:limit-{}}}", connection)) {}

  void enqueue(std::size_t first) {
    std::vector<std::string> words;
    for (std::size_t i = first; i < first + kBatch; ++i) {
      const Job job{.number = static_cast<std::int64_t>(i)};
      for (const auto& word : {job.id(), encode(job), std::string("1"), std::string("0"),
                               std::string("0"), std::string()})
        words.push_back(word);
    }
    add(scripts().enqueue, words);
  }

  void turn(std::size_t first) {
    const std::size_t done = first == 0 ? 0 : kBatch;
    std::vector<std::string> words{"1000000", std::to_string(done)};
    for (std::size_t i = first - done; i < first; ++i) {
      words.push_back(Job{.number = static_cast<std::int64_t>(i)}.id());
      words.push_back("1");
    }
    for (const auto& word : {std::string("limit"), std::to_string(kBatch), std::string("60000")})
      words.push_back(word);
    add(scripts().turn, words);
  }

  static const lab::queue::RedisQueueScripts& scripts() {
    return lab::queue::RedisQueueScripts::on_lists();
  }
  const std::vector<std::string>& all() const { return requests_; }

 private:
  void add(const lab::infra::RedisScript& script, const std::vector<std::string>& words) {
    std::vector<std::string_view> views{"EVALSHA", script.sha1(), "1", key_};
    views.insert(views.end(), words.begin(), words.end());
    lab::infra::append_command(requests_.emplace_back(), views);
  }

  const std::string key_;
  std::vector<std::string> requests_;
};

/// What each connection is to ask, one list of requests a connection.
std::vector<std::vector<std::string>> requests(std::size_t jobs, bool enqueue, bool drain) {
  std::vector<std::vector<std::string>> all;
  for (std::size_t connection = 0; connection < kThreads; ++connection) {
    Requests own(connection);
    for (std::size_t first = 0; first < jobs / kThreads; first += kBatch) {
      if (enqueue) own.enqueue(first);
      if (drain) own.turn(first);
    }
    if (drain) own.turn(jobs / kThreads);
    all.push_back(own.all());
  }
  return all;
}

/// Jobs a second; zero when something went wrong.
double jobs_per_second(const lab::infra::RedisAddress& address, std::size_t jobs,
                       const std::vector<std::vector<std::string>>& requests) {
  std::vector<std::unique_ptr<lab::infra::RedisConnection>> connections;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto connection = lab::infra::RedisConnection::open(address, lab::infra::Deadline(2s));
    if (!connection) return 0;
    connections.push_back(std::move(*connection));
  }
  std::atomic<bool> failed{false};
  const Instant begin = now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      threads.emplace_back([&, i] {
        std::vector<Result<lab::infra::RedisReply>> replies;
        for (const auto& request : requests[i]) {
          replies.clear();
          const auto done = connections[i]->exchange(request, 1, lab::infra::Deadline(5s), replies);
          if (!done || !replies.front()) failed = true;
        }
      });
    }
  }
  return failed ? 0 : static_cast<double>(jobs) / lab::seconds(now() - begin);
}

}  // namespace

RoundReport run_timed_round(const Setting& setting) {
  return TimedRound(setting).run();
}

std::vector<Limit> measure_limits(const Setting& setting) {
  if (setting.plan.backend == Backend::embedded) return {};
  const auto address = setting.backends.redis->address();
  const auto redis = setting.backends.redis->direct_client();
  for (const auto* script : {&Requests::scripts().enqueue, &Requests::scripts().turn})
    (void)redis->command({"SCRIPT", "LOAD", script->source()});
  const std::size_t jobs = jobs_in_round(setting);
  std::vector<Limit> limits;
  const auto measure = [&](const char* what, const char* metric, bool enqueue, bool drain) {
    const double rate = jobs_per_second(*address, jobs, requests(jobs, enqueue, drain));
    if (rate > 0)
      limits.push_back(
          {.name = fmt::format("the queue's Lua scripts alone, {}, {} in flight", what, kInFlight),
           .metric = metric,
           .unit = "1/s",
           .samples = {rate},
           .best = {},
           .ratio = {}});
  };
  measure("enqueue", "enqueued_per_second", true, false);
  measure("drain", "drained_per_second", false, true);
  (void)redis->command({"FLUSHDB"});
  measure("both", "both_per_second", true, true);
  (void)redis->command({"FLUSHDB"});
  return limits;
}

}  // namespace queue_retries
