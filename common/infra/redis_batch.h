#pragma once
// Implicit pipelining: while one batch of calls is with the server, the next one forms; then it
// goes out in one write and its answers come back in one burst of reads.
//
// No thread of its own: the first caller of a batch sends it, reads all the answers and hands them
// out (flat combining, Hendler, Incze, Shavit and Tzafrir 2010).

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "infra/redis_connection.h"
#include "infra/wait_word.h"

namespace lab::infra {

/// One shared connection and the calls that wait for it. Thread-safe.
class RedisBatchLane {
 public:
  RedisBatchLane(RedisAddress address, Nanos connect_timeout);
  Result<RedisReply> call(std::string_view request, const Deadline& deadline);

 private:
  struct Call;
  using Batch = std::vector<Call*>;

  /// True when the call has its answer, false when it is now its turn to lead.
  bool wait_for_turn_or_answer(Call& call);
  void lead();
  void exchange(const Batch& batch);
  Result<void> connect(const Deadline& deadline);
  void hand_over_locked(std::unique_lock<std::mutex>& lock);

  const RedisAddress address_;
  const Nanos connect_timeout_;
  std::mutex mutex_;
  bool led_ = false;  // guarded by mutex_: somebody sends and receives, or has been told to
  Batch forming_;     // guarded by mutex_

  // The leader's alone.
  std::unique_ptr<RedisConnection> connection_;
  Batch sent_;
  std::string requests_;
  std::vector<Result<RedisReply>> replies_;
};

/// Calls with and without a limit do not share a connection: a call that times out closes the one
/// it shared, and a caller who chose to wait for ever should not be woken by that.
class RedisBatches {
 public:
  RedisBatches(const RedisAddress& address, const RedisOptions& options)
      : limited_(address, options.connect_timeout), unlimited_(address, options.connect_timeout) {}
  Result<RedisReply> call(std::string_view request, const Deadline& deadline) {
    return (deadline.never() ? unlimited_ : limited_).call(request, deadline);
  }

 private:
  RedisBatchLane limited_, unlimited_;
};

}  // namespace lab::infra
