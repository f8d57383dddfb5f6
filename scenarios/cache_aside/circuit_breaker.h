#pragma once
// A circuit breaker (Nygard, "Release It!", 2007): after some failures in a row it stops the calls
// for a while, then lets one through to see whether they succeed again.

#include <atomic>
#include <chrono>

#include "core/clock.h"

namespace cache_aside {

/// Thread-safe. Ask allows() before each call and tell record() how it went.
class CircuitBreaker {
 public:
  static constexpr int kFailuresToOpen = 3;
  static constexpr std::chrono::milliseconds kCoolDown{100};

  bool allows() {
    lab::Nanos until = open_until_.load();
    if (until == lab::Nanos{}) return true;
    const lab::Nanos t = lab::now().time_since_epoch();
    // Half-open: whoever moves the limit on makes the probe; the others go on without the call.
    return t >= until && open_until_.compare_exchange_strong(until, t + kCoolDown);
  }

  void record(bool succeeded) {
    if (succeeded) {
      if (failures_.load(std::memory_order_relaxed) != 0) failures_ = 0;
      if (open_until_.load(std::memory_order_relaxed) != lab::Nanos{}) open_until_ = lab::Nanos{};
    } else if (failures_.fetch_add(1) + 1 >= kFailuresToOpen) {
      open_until_ = lab::now().time_since_epoch() + kCoolDown;
    }
  }

 private:
  std::atomic<int> failures_{0};
  std::atomic<lab::Nanos> open_until_{lab::Nanos{}};  // of the monotonic clock; zero: closed
};

}  // namespace cache_aside
