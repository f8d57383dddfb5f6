#pragma once
// How long a failed job waits for its next attempt.
//
// Computed by the worker, not by the queue's server: so there is one policy for all queues, it can be tested without a
// server, and the same seed gives the same delays. The server still measures the time itself.

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace lab::queue {

/// none: at once. fixed: always `base`. exponential: base · 2^(n−1) after the n-th failure, at most `cap`.
/// jitter: uniform between zero and the exponential delay ("full jitter"; Brooker, "Exponential Backoff And Jitter",
/// AWS Architecture Blog, 2015): without it, jobs that failed together come back together.
enum class Backoff { none, fixed, exponential, jitter };
std::string_view name(Backoff backoff);
/// `invalid` with the nearest name.
Result<Backoff> parse_backoff(std::string_view word);

/// Immutable: any thread may use it.
struct RetryPolicy {
  Backoff backoff = Backoff::jitter;
  Nanos base = 1s;
  Nanos cap = 60s;
  std::uint64_t seed = 1;

  /// After the attempt of this number (1: the first) has failed. Depends on seed, id and attempt alone.
  Nanos delay(std::string_view job, int attempt) const;

  /// delay() is never outside.
  struct Bounds {
    Nanos least{}, most{};
  };
  Bounds bounds(int attempt) const;
};

}  // namespace lab::queue
