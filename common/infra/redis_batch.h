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

#include "infra/event_count.h"
#include "infra/redis_connection.h"

namespace lab::infra {

/// One shared connection and the calls that wait for it. Thread-safe.
class RedisBatchLane {
 public:
  RedisBatchLane(RedisAddress address, Nanos connect_timeout);
  Result<RedisReply> call(std::string_view request, const Deadline& deadline);

 private:
  struct Call;
  using Batch = std::vector<Call*>;

  enum class Outcome { answered, leads };
  Outcome wait(Call& call);
  /// False when the call has been sent already.
  bool withdraw(Call& call);
  void lead();
  void exchange(const Batch& batch);
  static Error told_to(const Call& call, Error error);
  Result<void> connect(const Deadline& deadline);
  void hand_over(std::unique_lock<std::mutex>& lock);

  const RedisAddress address_;
  const Nanos connect_timeout_;
  std::mutex mutex_;
  bool led_ = false;    // guarded by mutex_: somebody leads, or has been told to
  Batch forming_;       // guarded by mutex_
  unsigned round_ = 0;  // guarded by mutex_: the number of the forming batch
  // Where the callers sleep: the first of a batch until it leads, the others until their batch is
  // answered. There are never more than two batches, one sent and one forming.
  EventCount may_lead_;
  std::array<EventCount, 2> answered_;

  // The leader's alone.
  std::unique_ptr<RedisConnection> connection_;
  Batch sent_;
  std::string requests_;
  std::vector<Result<RedisReply>> replies_;
};

/// Thread-safe. Each thread keeps to one lane, so that a batch of one lane is with the server while
/// another lane's forms.
///
/// Calls with and without a limit do not share a connection: a call that times out closes the one
/// it shared, and a caller who chose to wait for ever should not be woken by that.
class RedisBatches {
 public:
  RedisBatches(const RedisAddress& address, const RedisOptions& options);
  Result<RedisReply> call(std::string_view request, const Deadline& deadline);

 private:
  std::vector<std::unique_ptr<RedisBatchLane>> limited_, unlimited_;
};

}  // namespace lab::infra
