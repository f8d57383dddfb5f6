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

class WaitWord {
 public:
  std::uint32_t load() const { return value_.load(std::memory_order_acquire); }
  void store(std::uint32_t value) { value_.store(value, std::memory_order_release); }

  /// Sleeps while the value is `old`, at most until the deadline. May also return early: the caller
  /// looks again.
  void wait(std::uint32_t old, const Deadline& deadline) {
    timespec until{};
    if (!deadline.never()) {
      const auto at = std::chrono::duration_cast<Nanos>(deadline.at().time_since_epoch()).count();
      until = {at / 1'000'000'000, at % 1'000'000'000};
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, which is what Clock counts.
    syscall(SYS_futex, address(), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, old,
            deadline.never() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  }
  void wake_one() { wake(1); }
  void wake_all() { wake(INT_MAX); }

 private:
  void wake(int count) {
    syscall(SYS_futex, address(), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
  }
  std::uint32_t* address() { return reinterpret_cast<std::uint32_t*>(&value_); }

  std::atomic<std::uint32_t> value_{0};
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
};

}  // namespace lab::infra
