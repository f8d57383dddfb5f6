#include "infra/redis_pool.h"

#include <fmt/format.h>

namespace lab::infra {

RedisPool::RedisPool(RedisAddress address, const RedisOptions& options)
    : address_(std::move(address)),
      places_(std::max<std::size_t>(options.connections, 1)),
      connect_timeout_(options.connect_timeout) {}

Result<void> RedisPool::exchange(std::string_view requests, std::size_t count,
                                 const Deadline& deadline,
                                 std::vector<Result<RedisReply>>& replies) {
  if (deadline.passed()) return Error{ErrorCode::timeout, Happened::no, "no time to send anything"};
  auto place = take_place(deadline);
  if (!place) return place.error();
  Connection connection = std::move(*place);
  const bool was_idle = connection != nullptr;
  if (!connection || connection->stale()) {
    auto opened = open(deadline);
    if (!opened) {
      give_back(nullptr);
      return opened.error();
    }
    connection = std::move(*opened);
  }
  auto done = connection->exchange(requests, count, deadline, replies);
  if (done) {
    give_back(std::move(connection));
    return done;
  }
  connection.reset();
  give_back(nullptr);
  if (done.error().code != ErrorCode::closed) return done;
  drop_idle();  // they were connected to the same server
  // It had hung up before anything was sent: as good as not connected yet.
  const bool never_sent = was_idle && done.error().happened == Happened::no;
  return never_sent ? exchange(requests, count, deadline, replies) : done;
}

Result<RedisPool::Connection> RedisPool::take_place(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  const auto free = [&] { return taken_ < places_; };
  if (deadline.never()) {
    freed_.wait(lock, free);
  } else if (!freed_.wait_until(lock, deadline.at(), free)) {
    return Error{
        ErrorCode::exhausted, Happened::no,
        fmt::format("Redis at {}: all {} connections were busy", address_.display(), places_)};
  }
  ++taken_;
  if (idle_.empty()) return Connection();
  Connection connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void RedisPool::give_back(Connection connection) {
  {
    const std::lock_guard lock(mutex_);
    --taken_;
    if (connection) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

void RedisPool::drop_idle() {
  std::vector<Connection> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(idle_);
}

Result<RedisPool::Connection> RedisPool::open(const Deadline& deadline) {
  return RedisConnection::open(address_, deadline.capped(connect_timeout_));
}

}  // namespace lab::infra
