#pragma once
// How long a server waits for a request as a whole. A limit on each wait alone is none: a peer that sends a byte now and
// then keeps every one of them, for ever (slowloris).

#include <algorithm>
#include <cstdint>

#include "core/clock.h"

namespace lab::net {

/// Of one connection. For one thread.
class RequestClock {
 public:
  struct Limits {
    Nanos request{};  // from the first byte of a request to its last
    /// Bytes a second. Each byte of a body earns its share of a second, so that a large one may take longer than `request`;
    /// never more than `request` from now, so that a fast beginning does not pay for a trickle. 0: none earns anything.
    std::uint64_t least_rate = 0;
  };
  explicit RequestClock(const Limits& limits) : limits_(limits) {}

  /// Its first bytes are here.
  void begin() { end_ = now() + limits_.request; }
  void body_came(std::size_t bytes) {
    if (limits_.least_rate == 0) return;
    const auto earned = bytes * std::uint64_t{1'000'000'000} / limits_.least_rate;
    end_ = std::min(end_ + Nanos(earned), now() + limits_.request);
  }
  /// Until the next bytes must have come. Zero: its time is over.
  Nanos left() const { return std::max(Nanos{}, end_ - now()); }

 private:
  Limits limits_;
  Instant end_{};
};

}  // namespace lab::net
