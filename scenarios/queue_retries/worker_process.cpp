#include "worker_process.h"

#include <fmt/format.h>

#include <thread>

#include <nlohmann/json.hpp>

#include "actors/role.h"
#include "core/stop.h"
#include "harness/exit_status.h"
#include "job_lists.h"
#include "observed_queue.h"
#include "providers.h"
#include "queue/redis_queue.h"
#include "queue/sql_queue.h"

namespace queue_retries {
namespace {

using lab::harness::Outcome;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr Nanos kAfterError = 5ms;  // the broker may be down: it will be tried again

json retry_to_json(const lab::queue::RetryPolicy& retry) {
  return {{"backoff", lab::queue::name(retry.backoff)},
          {"base_ns", retry.base.count()},
          {"cap_ns", retry.cap.count()},
          {"seed", retry.seed}};
}

lab::queue::RetryPolicy retry_from_json(const json& from) {
  return {.backoff = lab::queue::parse_backoff(from.at("backoff").get<std::string>()).value(),
          .base = Nanos(from.at("base_ns").get<std::int64_t>()),
          .cap = Nanos(from.at("cap_ns").get<std::int64_t>()),
          .seed = from.at("seed")};
}

json place_to_json(const QueuePlace& place) {
  return {{"name", place.name},
          {"redis_socket", place.redis_socket},
          {"redis_host", place.redis_host},
          {"redis_port", place.redis_port},
          {"redis_user", place.redis_user},
          {"redis_password", place.redis_password},
          {"redis_database", place.redis_database},
          {"amqp_host", place.amqp_host},
          {"amqp_port", place.amqp_port},
          {"amqp_user", place.amqp_user},
          {"amqp_password", place.amqp_password},
          {"amqp_vhost", place.amqp_vhost},
          {"sql_url", place.sql_url},
          {"store", static_cast<int>(place.store)},
          {"lease_ns", place.lease.count()}};
}

QueuePlace place_from_json(const json& from) {
  QueuePlace place;
  place.name = from.at("name");
  place.redis_socket = from.at("redis_socket");
  place.redis_host = from.at("redis_host");
  place.redis_port = from.at("redis_port");
  place.redis_user = from.at("redis_user");
  place.redis_password = from.at("redis_password");
  place.redis_database = from.at("redis_database");
  place.amqp_host = from.at("amqp_host");
  place.amqp_port = from.at("amqp_port");
  place.amqp_user = from.at("amqp_user");
  place.amqp_password = from.at("amqp_password");
  place.amqp_vhost = from.at("amqp_vhost");
  place.sql_url = from.at("sql_url");
  place.store = static_cast<Store>(from.at("store").get<int>());
  place.lease = Nanos(from.at("lease_ns").get<std::int64_t>());
  return place;
}

lab::infra::RedisAddress redis_address(const QueuePlace& place) {
  lab::infra::RedisAddress address{.unix_socket = place.redis_socket};
  address.host = place.redis_host;
  address.port = place.redis_port;
  address.user = place.redis_user;
  address.password = place.redis_password;
  address.database = place.redis_database;
  return address;
}

/// Takes away expired leases now and then, on a thread of its own, until it goes.
class Sweeper {
 public:
  Sweeper(lab::queue::JobQueue& queue, Nanos every)
      : thread_([&queue, every](std::stop_token stopping) {
          while (!stopping.stop_requested()) {
            std::this_thread::sleep_for(every);
            (void)queue.sweep();
          }
        }) {}

 private:
  std::jthread thread_;
};

void work(const WorkerOrders& orders, const Recipe& recipe) {
  const Connected connected = connect(orders.place, recipe);
  lab::actors::CrashPoints points(orders.points, crash_points());
  if (orders.death && !orders.death->point.empty())
    points.die_at(orders.death->point, orders.death->passing, orders.death->after);
  lab::actors::OperationLog log(orders.log);
  Recorder recorder(log, points, orders.worker);

  SqlProvider provider(
      *connected.sql,
      {.seed = orders.seed,
       .takes = orders.takes,
       .slow_takes = orders.slow_takes,
       .caller = fmt::format("{}:{}", orders.worker, orders.life),
       .begins =
           [&](const Job& job, int attempt) {
             recorder.pass(kMidWork);
             recorder.begin(kEffect, job.number, 0, attempt);
           },
       .ended =
           [&](const Result<void>& sent) {
             recorder.end(sent ? Outcome::ok : lab::harness::outcome_of(sent.error()));
             if (sent) recorder.pass(kAfterEffect);
           }});
  ObservedQueue queue(connected.queue(), recorder);
  ObservedList list(*connected.list, recorder);
  const Sweeper sweeper(connected.queue(), orders.sweep_every);
  const auto worker = recipe.make({.queue = queue,
                                   .list = list,
                                   .provider = provider,
                                   .retry = orders.retry,
                                   .name = fmt::format("worker-{}", orders.worker),
                                   .lease = orders.place.lease,
                                   .max_attempts = kMaxAttempts});
  while (!lab::stop_requested()) {
    if (!worker->work(kBatch, kLongestWait)) std::this_thread::sleep_for(kAfterError);
  }
  worker->finish();
}

lab::queue::QueueRules queue_rules() {
  return {.max_attempts = kMaxAttempts, .max_stalls = kMaxStalls, .keep_completed = 10'000'000};
}

Connected connect_to_store(const QueuePlace& place) {
  Connected connected;
  const auto rules = queue_rules();
  connected.sql = lab::infra::connect_sql(lab::infra::SqlAddress::parse(place.sql_url).value(),
                                          {.connections = 8});
  if (place.store == Store::broker) {
    connected.bare = queue_in_broker(place);
    connected.list = sql_list(*connected.sql, place.name);
    return connected;
  }
  if (!place.in_redis()) {
    connected.bare = std::make_unique<lab::queue::SqlJobQueue>(*connected.sql, place.name, rules);
    connected.list = sql_list(*connected.sql, place.name);
    return connected;
  }
  connected.redis = lab::infra::connect_redis(redis_address(place));
  connected.waiting = lab::infra::connect_redis(redis_address(place));
  const lab::queue::RedisQueueOptions options{.name = place.name, .rules = rules};
  auto &redis = *connected.redis, &waiting = *connected.waiting;
  if (place.store == Store::streams) {
    connected.bare =
        std::make_unique<lab::queue::StreamsQueue>(redis, waiting, place.lease, options);
  } else {
    connected.bare = std::make_unique<lab::queue::RedisJobQueue>(redis, waiting, options);
  }
  connected.list = redis_list(redis, waiting, "list:" + place.name);
  return connected;
}

}  // namespace

std::unique_ptr<lab::queue::RabbitQueue> queue_in_broker(const QueuePlace& place) {
  return std::make_unique<lab::queue::RabbitQueue>(
      lab::infra::AmqpAddress{.host = place.amqp_host,
                              .port = place.amqp_port,
                              .user = place.amqp_user,
                              .password = place.amqp_password,
                              .vhost = place.amqp_vhost},
      lab::queue::RabbitQueueOptions{.name = place.name, .rules = queue_rules()});
}

Connected connect(const QueuePlace& place, const Recipe& recipe) {
  Connected connected = connect_to_store(place);
  if (recipe.around) connected.around = recipe.around(*connected.bare);
  return connected;
}

std::string to_json(const WorkerOrders& orders) {
  json text{{"variant", orders.variant},
            {"worker", orders.worker},
            {"life", orders.life},
            {"place", place_to_json(orders.place)},
            {"retry", retry_to_json(orders.retry)},
            {"seed", orders.seed},
            {"takes_ns", orders.takes.count()},
            {"slow_takes_ns", orders.slow_takes.count()},
            {"sweep_every_ns", orders.sweep_every.count()},
            {"log", orders.log},
            {"points", orders.points}};
  if (orders.death)
    text["death"] = {{"point", orders.death->point},
                     {"passing", orders.death->passing},
                     {"after_ns", orders.death->after.count()}};
  return text.dump();
}

WorkerOrders from_json(const std::string& text) {
  const json from = json::parse(text);
  WorkerOrders orders;
  orders.variant = from.at("variant");
  orders.worker = from.at("worker");
  orders.life = from.at("life");
  orders.place = place_from_json(from.at("place"));
  orders.retry = retry_from_json(from.at("retry"));
  orders.seed = from.at("seed");
  orders.takes = Nanos(from.at("takes_ns").get<std::int64_t>());
  orders.slow_takes = Nanos(from.at("slow_takes_ns").get<std::int64_t>());
  orders.sweep_every = Nanos(from.at("sweep_every_ns").get<std::int64_t>());
  orders.log = from.at("log");
  orders.points = from.at("points");
  if (from.contains("death")) {
    const auto& death = from.at("death");
    orders.death = lab::actors::Death{.point = death.at("point"),
                                      .passing = death.at("passing"),
                                      .after = Nanos(death.at("after_ns").get<std::int64_t>())};
  }
  return orders;
}

int worker_main(const std::vector<Recipe>& recipes) {
  lab::handle_stop_signals();
  const WorkerOrders orders = from_json(lab::actors::take_orders());
  for (const auto& recipe : recipes) {
    if (recipe.variant != orders.variant) continue;
    work(orders, recipe);
    return lab::harness::kAsPromised;
  }
  return lab::harness::kUsage;
}

}  // namespace queue_retries
