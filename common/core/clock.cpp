#include "core/clock.h"

#include <sys/prctl.h>
#include <time.h>

#include <cerrno>
#include <ctime>

#include "core/stop.h"

namespace lab {
namespace {

std::string format_utc(const char* pattern) {
  const std::time_t wall = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&wall, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, pattern, &parts)};
}

void sleep_slice(Instant instant) {
  const auto since_epoch = std::chrono::duration_cast<Nanos>(instant.time_since_epoch()).count();
  const timespec at{since_epoch / 1'000'000'000, since_epoch % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR &&
         !stop_requested()) {
  }
}

}  // namespace

bool sleep_until(Instant instant) {
  thread_local const int slack_set = prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  (void)slack_set;
  // A stop must be noticed soon: long sleeps are taken in slices.
  constexpr Nanos kSlice = 20ms;
  for (Instant t = now(); t < instant; t = now()) {
    if (stop_requested()) return false;
    sleep_slice(std::min(instant, t + kSlice));
  }
  return !stop_requested();
}

std::string utc_timestamp() {
  return format_utc("%Y-%m-%dT%H:%M:%SZ");
}
std::string utc_compact() {
  return format_utc("%Y%m%dT%H%M%SZ");
}

}  // namespace lab
