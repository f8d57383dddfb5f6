#pragma once
// A bounded set of connections to one Redis.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "infra/redis_connection.h"

namespace lab::infra {

/// Thread-safe. Connections are opened when first needed; a broken one is dropped and its place is
/// free again.
class RedisPool {
 public:
  RedisPool(RedisAddress address, const RedisOptions& options);

  /// As RedisConnection::exchange(), on a connection of its own. Adds `exhausted` (happened no).
  Result<void> exchange(std::string_view requests, std::size_t count, const Deadline& deadline,
                        std::vector<Result<RedisReply>>& replies);

 private:
  using Connection = std::unique_ptr<RedisConnection>;

  /// A place in the pool, with the connection that was idle there or none.
  Result<Connection> take_place(const Deadline& deadline);
  void give_back(Connection connection);  // nullptr: only the place
  void drop_idle();
  Result<Connection> open(const Deadline& deadline);

  const RedisAddress address_;
  const std::size_t places_;
  const Nanos connect_timeout_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t taken_ = 0;         // guarded by mutex_
  std::vector<Connection> idle_;  // guarded by mutex_; the last used one is the first taken
};

}  // namespace lab::infra
