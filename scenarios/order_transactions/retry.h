#pragma once
// Trying again when the database says that somebody else was first. The waits grow (exponential backoff) and are random
// ("full jitter": Brooker, "Exponential Backoff and Jitter", 2015), or the same transactions would meet again.

#include <atomic>
#include <chrono>
#include <thread>

#include "core/random.h"
#include "order_desk.h"

namespace order_transactions {

/// After this error the same transaction may well succeed: a deadlock, a serialization failure, a lock wait that took too
/// long, a row that changed since the snapshot, a database that is locked. Not a duplicate key: that stays one.
inline bool is_transient(const Error& error) {
  if (error.code != lab::ErrorCode::conflict) return false;
  for (const char* code : {"40001", "40P01", "55P03",  // PostgreSQL
                           "1213", "1205", "1020"}) {  // MariaDB
    if (error.native_code == code) return true;
  }
  const int sqlite = std::atoi(error.native_code.c_str()) & 0xff;
  const bool short_code = error.native_code.size() <= 3;  // SQLITE_BUSY and its kin: 5, 261, 517
  return short_code && (sqlite == 5 || sqlite == 6);
}

/// The row is there already, under this key.
inline bool is_duplicate(const Error& error) {
  return error.code == lab::ErrorCode::conflict && !is_transient(error);
}

struct RetryLimits {
  int attempts = 60;
  std::chrono::microseconds first{200}, longest{20'000};
};

/// A desk that tries again, and counts how often.
class RetryingDesk : public OrderDesk {
 public:
  std::int64_t retries() const override { return retries_; }

 protected:
  /// Calls `attempt` until it returns anything but a transient conflict, or the limit is reached: then that is the answer.
  template <class Attempt>
  Result<Answer> with_retries(const OrderRequest& request, const Attempt& attempt,
                              RetryLimits limits = {}) {
    auto longest = limits.first;
    for (int tried = 1;; ++tried) {
      Result<Answer> answer = attempt();
      if (answer || !is_transient(answer.error()) || tried == limits.attempts) return answer;
      ++retries_;
      const auto draw = lab::mix64(static_cast<std::uint64_t>(request.id.value * 64 + tried));
      std::this_thread::sleep_for(longest * static_cast<int>(draw % 1024) / 1024);
      longest = std::min(longest * 2, limits.longest);
    }
  }

 private:
  std::atomic<std::int64_t> retries_{0};
};

}  // namespace order_transactions
