#pragma once
// A number to sleep on: Linux's futex with a deadline, which std::atomic::wait does not have.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "infra/deadline.h"

namespace lab::infra {

/// Counts events. Read the count, look whether what you wait for is there, sleep if the count has
/// not moved since: no event is missed.
class EventCount {
 public:
  std::uint32_t count() const { return value_.load(std::memory_order_acquire); }

  /// Sleeps until an event after `seen`, at most until the deadline. May return without one.
  void wait(std::uint32_t seen, const Deadline& deadline) {
    timespec until{};
    if (!deadline.never()) {
      const auto at = std::chrono::duration_cast<Nanos>(deadline.at().time_since_epoch()).count();
      until = {at / 1'000'000'000, at % 1'000'000'000};
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, which is what Clock counts.
    syscall(SYS_futex, &value_, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen,
            deadline.never() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  }

  /// One event; wakes all who sleep here, with one system call.
  void notify_all() {
    value_.fetch_add(1, std::memory_order_release);
    syscall(SYS_futex, &value_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> value_{0};
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
};

}  // namespace lab::infra
