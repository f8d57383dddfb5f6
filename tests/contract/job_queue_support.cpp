#include "job_queue_support.h"

#include <fmt/format.h>

#include "infra/redis_client.h"
#include "queue/redis_queue.h"
#include "queue/sql_queue.h"
#include "sql_support.h"

namespace lab::queue::test {
namespace {

using lab::test::must;

std::string next_name() {
  static int count = 0;
  return fmt::format("q{}", ++count);
}

/// One server for the whole program.
infra::RedisAddress redis_address() {
  static const auto server = must(lab::test::supervisor().redis());
  infra::RedisAddress address;
  address.unix_socket = server->socket().string();
  return address;
}

class RedisQueues : public Queues {
 public:
  explicit RedisQueues(bool streams)
      : streams_(streams), redis_(infra::connect_redis(redis_address())) {}

  std::unique_ptr<JobQueue> make(Nanos lease, QueueRules rules) override {
    RedisQueueOptions options{.name = next_name(), .rules = rules};
    if (streams_) return std::make_unique<StreamsQueue>(*redis_, *redis_, lease, options);
    return std::make_unique<RedisJobQueue>(*redis_, *redis_, options);
  }

  bool has_front() const override { return !streams_; }

 private:
  const bool streams_;
  std::unique_ptr<infra::Redis> redis_;
};

class SqlQueues : public Queues {
 public:
  explicit SqlQueues(infra::SqlEngine engine)
      : sql_(infra::connect_sql(infra::test::Database::of(engine).address())) {
    must(SqlJobQueue::create_tables(*sql_));
  }

  std::unique_ptr<JobQueue> make(Nanos, QueueRules rules) override {
    return std::make_unique<SqlJobQueue>(*sql_, next_name(), rules);
  }

 private:
  std::unique_ptr<infra::Sql> sql_;
};

infra::SqlEngine engine_of(const std::string& kind) {
  return kind == "mariadb"    ? infra::SqlEngine::mariadb
         : kind == "postgres" ? infra::SqlEngine::postgres
                              : infra::SqlEngine::sqlite;
}

bool in_redis(const std::string& kind) {
  return kind == "redis" || kind == "streams";
}

}  // namespace

std::unique_ptr<Queues> make_queues(const std::string& kind) {
  if (in_redis(kind)) return std::make_unique<RedisQueues>(kind == "streams");
  return std::make_unique<SqlQueues>(engine_of(kind));
}

servers::Installed needed_for(const std::string& kind) {
  return in_redis(kind) ? servers::find_redis() : infra::test::needed_for(engine_of(kind));
}

}  // namespace lab::queue::test
