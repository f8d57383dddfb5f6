#pragma once
// One clock for everything that is measured or ordered: CLOCK_MONOTONIC, the same for all processes
// of a machine, so that real-time order between clients is exact. Wall-clock time only labels
// results.

#include <chrono>
#include <string>

namespace lab {

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;
using Nanos = std::chrono::nanoseconds;

using namespace std::chrono_literals;

inline Instant now() {
  return Clock::now();
}

/// Sleeps until the instant, or until a stop is requested (core/stop.h). Returns false when stopped
/// early. The kernel's timer slack is set to 1 ns for the calling thread, so a late wake-up is the
/// scheduler's.
bool sleep_until(Instant instant);
inline bool sleep_for(Nanos duration) {
  return sleep_until(now() + duration);
}

inline double milliseconds(Nanos duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}
inline double microseconds(Nanos duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}
inline double seconds(Nanos duration) {
  return std::chrono::duration<double>(duration).count();
}

/// "2026-11-21T01:16:43Z", and the same without punctuation for file names.
std::string utc_timestamp();
std::string utc_compact();

}  // namespace lab
