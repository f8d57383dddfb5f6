#pragma once
// A worker as a process of its own: what it is told, and what it does. It works until it is asked to stop (SIGTERM), and
// then tells the queue what it has not told yet. A second thread sweeps.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/kill_plan.h"
#include "infra/redis_client.h"
#include "infra/sql.h"
#include "job_worker.h"
#include "queue/rabbit_queue.h"

namespace queue_retries {

inline constexpr const char* kWorkerRole = "worker";
inline constexpr Nanos kLongestWait = std::chrono::milliseconds(50);  // of one claim
inline constexpr std::size_t kBatch = 16;                             // jobs of one claim

/// Where a variant's jobs are.
enum class Store { list, leases, streams, broker };

/// How a variant is made.
struct Recipe {
  std::string variant;
  Store store = Store::leases;
  lab::queue::Backoff backoff = lab::queue::Backoff::jitter;
  std::function<std::unique_ptr<JobWorker>(Tools)> make;
  bool keeps = true;  // a job stays in the queue until it is done
  /// What stands between the workers and the queue, which outlives it; nothing: nothing does.
  std::function<std::unique_ptr<lab::queue::JobQueue>(lab::queue::JobQueue&)> around{};
};

/// The queue that all processes of a trial share.
struct QueuePlace {
  std::string name;
  std::string redis_socket, redis_host, redis_password, redis_user;  // none: in the database
  int redis_port = 0;
  int redis_database = 0;
  std::string amqp_host, amqp_user, amqp_password, amqp_vhost;  // of a queue in RabbitMQ
  int amqp_port = 0;
  std::string sql_url;  // of the provider's books, and of the queue without Redis
  Store store = Store::leases;
  Nanos lease{};
  bool in_redis() const { return !redis_socket.empty() || redis_port != 0; }
};

struct WorkerOrders {
  std::string variant;
  std::uint32_t worker = 0;
  std::size_t life = 0;
  QueuePlace place;
  lab::queue::RetryPolicy retry;
  std::uint64_t seed = 1;
  Nanos takes{}, slow_takes{}, sweep_every{};
  std::string log, points;  // files
  std::optional<lab::actors::Death> death;
};

/// One process's connections to the place, and what stands on them. Members in the order of their dependence.
struct Connected {
  std::unique_ptr<lab::infra::Redis> redis, waiting;
  std::unique_ptr<lab::infra::Sql> sql;
  std::unique_ptr<lab::queue::JobQueue> bare;    // the store's own
  std::unique_ptr<lab::queue::JobQueue> around;  // the recipe's, if it has one
  std::unique_ptr<JobList> list;

  /// As the recipe has it.
  lab::queue::JobQueue& queue() const { return around ? *around : *bare; }
};
Connected connect(const QueuePlace& place, const Recipe& recipe);
/// The queue of a place in RabbitMQ, on a connection of its own.
std::unique_ptr<lab::queue::RabbitQueue> queue_in_broker(const QueuePlace& place);

std::string to_json(const WorkerOrders& orders);
WorkerOrders from_json(const std::string& text);

/// The role's main. Returns the exit status.
int worker_main(const std::vector<Recipe>& recipes);

}  // namespace queue_retries
