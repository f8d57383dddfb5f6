#pragma once
// When a call gives up.

#include <algorithm>
#include <climits>
#include <optional>

#include "core/clock.h"

namespace lab::infra {

/// Made once, when the call begins, so that waiting for a connection, connecting, sending and every
/// slice of the answer draw on one and the same limit. Without a limit it never passes.
class Deadline {
 public:
  Deadline() = default;
  explicit Deadline(std::optional<Nanos> limit, Instant start = now()) {
    if (limit && *limit < std::chrono::hours(24 * 365)) {
      limit_ = limit;
      at_ = start + *limit;
    }
  }

  bool never() const { return !limit_; }
  std::optional<Nanos> limit() const { return limit_; }
  Instant at() const { return at_; }  // only when not never()
  bool passed() const { return limit_ && now() >= at_; }
  Nanos left() const { return std::max(Nanos{0}, at_ - now()); }  // only when not never()

  /// The one that passes first.
  static Deadline earlier(const Deadline& a, const Deadline& b) {
    if (a.never()) return b;
    if (b.never()) return a;
    return a.at_ <= b.at_ ? a : b;
  }
  Deadline capped(Nanos limit) const { return earlier(*this, Deadline(limit)); }

 private:
  std::optional<Nanos> limit_;
  Instant at_{};
};

}  // namespace lab::infra
