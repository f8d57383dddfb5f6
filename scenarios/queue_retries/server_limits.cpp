#include "server_limits.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "infra/amqp.h"
#include "infra/redis_connection.h"
#include "queue/redis_queue.h"
#include "queue/redis_queue_scripts.h"
#include "speed.h"

namespace queue_retries {
namespace {

using lab::Instant;
using lab::now;
using namespace lab::harness;
using namespace std::chrono_literals;

/// What producers do, what workers do.
struct Work {
  const char* name;
  const char* metric;
  bool enqueue, drain;
};
// In this order, as in a variant's round: what the first one puts in, the second takes out, and the third finds done.
constexpr Work kOnlyEnqueue{"enqueue", "enqueued_per_second", true, false},
    kOnlyDrain{"drain", "drained_per_second", false, true},
    kBoth{"both", "both_per_second", true, true};

/// A rate of zero is none.
void keep(std::vector<Limit>& limits, const std::string& what, const Work& work,
          const std::string& variant, double rate) {
  if (rate <= 0) return;
  limits.push_back({.name = fmt::format("{}, {}, {} in flight", what, work.name, kInFlight),
                    .metric = work.metric,
                    .unit = "1/s",
                    .samples = {rate},
                    .best = variant,
                    .ratio = {}});
}

/// The queue's scripts as bytes on the wire, one request a step, for one connection. A producer and a worker share a queue
/// that is theirs alone: so it is known beforehand which jobs each claim gets. Each completes what the one before it got.
class Requests {
 public:
  static Requests of_producer(const std::string& queue, std::size_t known, std::size_t jobs) {
    Requests requests(queue, known);
    for (std::size_t first = 0; first < jobs; first += kBatch) requests.enqueue(first);
    return requests;
  }

  /// `behind`: a step after the producer, whose answer is there by then.
  static Requests of_worker(const std::string& queue, std::size_t known, std::size_t jobs,
                            bool behind) {
    Requests requests(queue, known);
    if (behind) requests.bytes_.emplace_back();
    for (std::size_t first = 0; first < jobs; first += kBatch) requests.turn(first, kBatch);
    requests.turn(jobs, 0);
    return requests;
  }

  std::size_t steps() const { return bytes_.size(); }
  /// Empty where it has nothing to ask for.
  std::string_view at(std::size_t step) const {
    return step < bytes_.size() ? std::string_view(bytes_[step]) : std::string_view();
  }

  static const lab::queue::RedisQueueScripts& scripts() {
    return lab::queue::RedisQueueScripts::on_lists();
  }

 private:
  /// `known`: so many jobs the queue has had; these are others.
  Requests(const std::string& queue, std::size_t known)
      : key_("{queue:" + queue + "}"), known_(known) {}

  Job job(std::size_t i) const { return {.number = static_cast<std::int64_t>(known_ + i)}; }

  void enqueue(std::size_t first) {
    std::vector<std::string> words;
    for (std::size_t i = first; i < first + kBatch; ++i)
      words.insert(words.end(), {job(i).id(), "-" + encode(job(i))});
    add(scripts().enqueue, words);
  }

  void turn(std::size_t first, std::size_t most) {
    const std::size_t done = first == 0 ? 0 : kBatch;
    std::vector<std::string> words{"10000000", std::to_string(done)};
    for (std::size_t i = first - done; i < first; ++i)
      words.insert(words.end(), {job(i).id(), "1"});
    words.insert(words.end(), {"limit", std::to_string(most), "60000"});
    add(scripts().turn, words);
  }

  void add(const lab::infra::RedisScript& script, const std::vector<std::string>& words) {
    std::vector<std::string_view> views{"EVALSHA", script.sha1(), "1", key_};
    views.insert(views.end(), words.begin(), words.end());
    lab::infra::append_command(bytes_.emplace_back(), views);
  }

  std::string key_;
  std::size_t known_;
  std::vector<std::string> bytes_;
};

std::string queue_of(std::size_t pair) {
  return fmt::format("limit-{}", pair);
}

struct Lane {
  std::unique_ptr<lab::infra::RedisConnection> connection;
  Requests requests;
};

/// As many connections as the variants have, producers first. None when one could not be opened.
std::vector<Lane> open_lanes(const lab::infra::RedisAddress& address, std::size_t jobs,
                             const Work& work, const lab::infra::Deadline& deadline) {
  std::vector<Lane> lanes;
  const std::size_t share = jobs / kThreads;
  const std::size_t known = work.enqueue && work.drain ? share : 0;
  for (std::size_t i = 0; work.enqueue && i < kThreads; ++i)
    lanes.push_back({{}, Requests::of_producer(queue_of(i), known, share)});
  for (std::size_t i = 0; work.drain && i < kThreads; ++i)
    lanes.push_back({{}, Requests::of_worker(queue_of(i), known, share, work.enqueue)});
  for (auto& lane : lanes) {
    auto connection = lab::infra::RedisConnection::open(address, deadline);
    if (!connection) return {};
    lane.connection = std::move(*connection);
  }
  return lanes;
}

/// One thread for all connections, in turn: while it reads the answer of one, the requests of the others wait at the
/// server, which therefore never waits for it. Of the answers only the errors are looked at. Zero when there was one.
double jobs_per_second(const lab::infra::RedisAddress& address, std::size_t jobs,
                       const Work& work) {
  const lab::infra::Deadline deadline(30s);
  const auto lanes = open_lanes(address, jobs, work, deadline);
  if (lanes.empty()) return 0;
  const std::size_t steps = lanes.back().requests.steps();
  std::vector<Result<lab::infra::RedisReply>> replies;
  const Instant begin = now();
  for (std::size_t step = 0; step <= steps; ++step) {
    for (const auto& [connection, requests] : lanes) {
      const bool asked = step > 0 && !requests.at(step - 1).empty();
      replies.clear();
      if (asked && (!connection->exchange("", 1, deadline, replies) || !replies.front())) return 0;
      if (!connection->exchange(requests.at(step), 0, deadline, replies)) return 0;
    }
  }
  return static_cast<double>(jobs) / lab::seconds(now() - begin);
}

/// By the queues' own books.
std::size_t jobs_done(lab::infra::Redis& redis) {
  std::int64_t done = 0;
  for (std::size_t i = 0; i < kThreads; ++i) {
    auto counts = lab::queue::RedisJobQueue(redis, redis, {.name = queue_of(i)}).counts();
    if (counts) done += (*counts)[lab::queue::JobState::completed];
  }
  return static_cast<std::size_t>(done);
}

void measure_redis(const RunPlan& plan, lab::backends::RedisBackend& backend,
                   std::vector<Limit>& limits) {
  const auto address = backend.address();
  if (!address) return;
  const auto redis = backend.direct_client();
  for (const auto* script : {&Requests::scripts().enqueue, &Requests::scripts().turn})
    (void)redis->command({"SCRIPT", "LOAD", script->source()});
  const std::size_t jobs = jobs_in_round(plan, Store::leases);
  (void)redis->command({"FLUSHDB"});  // the ids are the same in each round
  for (const auto& work : {kOnlyEnqueue, kOnlyDrain, kBoth}) {
    const std::size_t before = jobs_done(*redis);
    const double rate = jobs_per_second(*address, jobs, work);
    if (!work.drain || jobs_done(*redis) == before + jobs)
      keep(limits, "Redis, the queue's Lua scripts alone", work, {}, rate);
  }
  (void)redis->command({"FLUSHDB"});
}

/// How far the peers of a measurement have come.
struct Progress {
  const std::size_t jobs;
  std::atomic<std::size_t> next{0}, consumed{0};
  std::atomic<bool> failed{false};
  Instant last{};  // when the last message was consumed
};

/// One connection to RabbitMQ, for one thread.
class Peer {
 public:
  Peer(const lab::infra::AmqpAddress& address, std::string queue)
      : amqp_(lab::infra::Amqp::connect(address)), queue_(std::move(queue)) {}

  bool ready() const { return amqp_.has_value(); }
  bool declare() {
    return ready() &&
           (*amqp_)->declare({.name = queue_, .type = lab::infra::AmqpQueue::Type::quorum});
  }
  void remove() { (void)(*amqp_)->remove(queue_); }

  void publish(Progress& progress) {
    while (!progress.failed) {
      const std::size_t first = progress.next.fetch_add(kBatch);
      if (first >= progress.jobs) return;
      std::vector<lab::infra::AmqpMessage> messages;
      for (std::size_t i = first; i < first + kBatch; ++i)
        messages.push_back(
            {.routing_key = queue_, .body = encode({.number = static_cast<std::int64_t>(i)})});
      for (const auto& confirmed : (*amqp_)->publish(messages)) {
        if (!confirmed) progress.failed = true;
      }
    }
  }

  void consume(Progress& progress) {
    if (!(*amqp_)->consume(queue_, kBatch)) progress.failed = true;
    while (progress.consumed < progress.jobs && !progress.failed) {
      const auto delivery = (*amqp_)->next(5ms);
      if (!delivery) progress.failed = true;
      if (!delivery || !*delivery) continue;
      if (!(*amqp_)->ack((*delivery)->tag)) progress.failed = true;
      if (++progress.consumed == progress.jobs) progress.last = now();
    }
  }

 private:
  Result<std::unique_ptr<lab::infra::Amqp>> amqp_;
  const std::string queue_;
};

/// The same with messages; zero when something went wrong.
double messages_per_second(const lab::infra::AmqpAddress& address, const std::string& queue,
                           std::size_t jobs, const Work& work) {
  std::vector<std::unique_ptr<Peer>> producers, consumers;
  for (std::size_t i = 0; i < kThreads; ++i) {
    for (auto* peers : {&producers, &consumers}) {
      peers->push_back(std::make_unique<Peer>(address, queue));
      if (!peers->back()->ready()) return 0;
    }
  }
  Progress progress{.jobs = jobs};
  const Instant begin = now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      if (work.enqueue) threads.emplace_back([&, i] { producers[i]->publish(progress); });
      if (work.drain) threads.emplace_back([&, i] { consumers[i]->consume(progress); });
    }
  }
  const Instant end = work.drain ? progress.last : now();
  return progress.failed ? 0 : static_cast<double>(jobs) / lab::seconds(end - begin);
}

void measure_rabbit(const RunPlan& plan, lab::backends::RabbitBackend& backend,
                    std::vector<Limit>& limits) {
  static int round = 0;
  const auto address = backend.address();
  const auto queue = fmt::format("limit-{}", ++round);
  Peer owner(address, queue);
  if (!owner.declare()) return;
  const std::size_t jobs = jobs_in_round(plan, Store::broker);
  for (const auto& work : {kOnlyEnqueue, kOnlyDrain, kBoth}) {
    keep(limits, "RabbitMQ, messages and their confirms alone", work, "rabbitmq_confirmed",
         messages_per_second(address, queue, jobs, work));
  }
  owner.remove();
}

}  // namespace

std::vector<Limit> measure_limits(const RunPlan& plan, lab::backends::Backends& backends) {
  std::vector<Limit> limits;
  if (backends.redis) measure_redis(plan, *backends.redis, limits);
  if (backends.rabbit) measure_rabbit(plan, *backends.rabbit, limits);
  return limits;
}

}  // namespace queue_retries
