#include "workload.h"

namespace pubsub_fanout {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
using namespace std::chrono_literals;

void put(char*& at, std::uint64_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) *at++ = kDigits[value >> shift & 0xf];
  *at++ = ' ';
}

/// False when it is no number.
bool take(const char*& at, std::uint64_t& value, int digits) {
  value = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = *at++;
    const bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    if (!digit && !letter) return false;
    value = value << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return *at++ == ' ';
}

/// When the stalled reader reads again: who was kept waiting for it has something to hear, too.
Nanos afterwards(Nanos load) {
  return std::min<Nanos>(load / 4, 300ms);
}

}  // namespace

std::string to_text(const Stamp& stamp, std::size_t bytes) {
  std::string text(std::max(bytes, kStampBytes), '.');
  char* at = text.data() + text.size() - kStampBytes;
  *at++ = kStampMark;
  put(at, stamp.room, 8);
  put(at, stamp.speaker, 8);
  put(at, stamp.number, 8);
  put(at, static_cast<std::uint64_t>(stamp.said_ns), 16);
  return text;
}

std::optional<Stamp> stamp_of(std::string_view text) {
  if (text.size() < kStampBytes) return std::nullopt;
  const char* at = text.data() + text.size() - kStampBytes;
  std::uint64_t room = 0, speaker = 0, number = 0, said = 0;
  if (*at++ != kStampMark || !take(at, room, 8) || !take(at, speaker, 8) || !take(at, number, 8) ||
      !take(at, said, 16))
    return std::nullopt;
  return Stamp{static_cast<std::uint32_t>(room), static_cast<std::uint32_t>(speaker),
               static_cast<std::uint32_t>(number), static_cast<std::int64_t>(said)};
}

lab::harness::Timing timing(const lab::harness::Flags& flags) {
  lab::harness::Timing timing;
  // While Redis is away nothing is acknowledged, and the stalled reader has to be owed enough all the same.
  const Nanos quick = flags.fault == kRedisKill ? 1800ms : 1500ms;
  const Nanos load = flags.duration.value_or(flags.quick ? quick : 3300ms);
  const Nanos loud = load - afterwards(load);
  timing.warm_up = loud / 8;
  timing.steady = loud / 8;
  timing.fault = loud / 2;
  timing.recovery = load - timing.warm_up - timing.steady - timing.fault;
  timing.round = flags.quick ? 80ms : 400ms;
  timing.rounds = flags.quick ? 3 : 9;
  return timing;
}

Sizes choose_sizes(const lab::harness::RunPlan& plan) {
  const bool quick = plan.flags.quick;
  Sizes sizes;
  sizes.nodes = quick ? 2 : 4;
  sizes.says_every = 3ms;
  sizes.loud_every = 1ms;
  sizes.loud_for = std::min<Nanos>(plan.timing.load() - afterwards(plan.timing.load()), 1500ms);
  sizes.cuts = static_cast<std::size_t>(plan.flags.kills.value_or(quick ? 4 : 12));
  sizes.silence = 400ms;
  sizes.join_limit = 400ms;
  sizes.try_again = 20ms;
  return sizes;
}

}  // namespace pubsub_fanout
