#pragma once
// What is said, where and how often; the same for all variants.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "harness/scenario.h"

namespace pubsub_fanout {

using lab::Nanos;

/// Stands at the end of everything that is said: who said it, as its how-manieth, in which room, when.
struct Stamp {
  std::uint32_t room = 0, speaker = 0, number = 0;
  std::int64_t said_ns = 0;  // CLOCK_MONOTONIC, the same for all processes of the machine
};
inline constexpr char kStampMark = '#';         // its first byte
inline constexpr std::size_t kStampBytes = 45;  // "#room speaker number nanoseconds", in hex
/// Filled up to `bytes` in front.
std::string to_text(const Stamp& stamp, std::size_t bytes);
std::optional<Stamp> stamp_of(std::string_view text);  // nothing: it does not end with one

/// Of a fault run.
struct Sizes {
  std::size_t nodes = 2;  // of variants that can be many; the others are one
  std::uint32_t rooms = 2, speakers = 2, readers = 12;  // speakers and readers of each room
  Nanos says_every{};                                   // each speaker
  std::size_t bytes = 120;
  // One more room has long messages, and readers of whom one stops reading.
  std::uint32_t loud_readers = 2;
  std::size_t loud_bytes = 16 * 1024;
  Nanos loud_every{}, loud_for{};
  std::size_t cuts = 4;  // of connections, in a run whose fault cuts

  // How clients behave.
  Nanos silence{};     // nothing heard for so long, not even a pong: the connection is given up
  Nanos join_limit{};  // a try to join that takes longer is given up
  Nanos try_again{};   // between tries
  std::uint32_t loud_room() const { return rooms; }
  std::uint32_t all_rooms() const { return rooms + 1; }
};
Sizes choose_sizes(const lab::harness::RunPlan& plan);

/// How speed is measured.
struct FanOut {
  std::uint32_t subscribers = 500;
  std::uint32_t window = 64;  // said and not yet heard by all
  std::size_t bytes = 120;
};

inline constexpr const char* kCut = "cut";
inline constexpr const char* kNodeKill = "node-kill";
inline constexpr const char* kNodeRestart = "node-restart";
inline constexpr const char* kNodePause = "node-pause";
inline constexpr const char* kRedisKill = "redis-kill";

lab::harness::Timing timing(const lab::harness::Flags& flags);

}  // namespace pubsub_fanout
