#pragma once
// Who asks for what, the same for all variants: how many clients, how many of them misbehave, and how.

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "harness/scenario.h"
#include "http_server.h"
#include "net/http_load.h"

namespace blocking_vs_async_io {

inline constexpr std::size_t kPool = 8;        // P: threads of the pool
inline constexpr std::size_t kClients = 64;    // of the timed rounds
inline constexpr std::size_t kFewClients = 4;  // beside others that misbehave; fewer than P
inline constexpr std::size_t kCrowd =
    32;  // whose throughput is compared; many enough to be dealt out evenly
inline constexpr std::size_t kSlowCallers = 2;   // at least one is always in a slow call
inline constexpr std::size_t kStalledPeers = 4;  // that never read; fewer than P
inline constexpr std::size_t kStalledBody = 64 * 1024;
inline constexpr std::uint64_t kFewDescriptors = 64;
inline constexpr std::size_t kTooMany = 200;  // connections, where descriptors are few
inline constexpr Nanos kBetweenBytes = std::chrono::milliseconds(100);

/// How much happens in a trial.
struct Sizes {
  std::vector<std::size_t> echoes;  // bytes of each body
  Nanos beside_slow_calls{};
  Nanos window{};           // of throughput, with and without slow peers
  std::size_t windows = 9;  // of each; up to three times as many while the answer is open
  std::size_t idle = 10'000;
  TimeLimits limits;
  Nanos patience = std::chrono::seconds(3);          // for an answer
  Nanos exhausted = std::chrono::milliseconds(150);  // without descriptors
  Nanos settling = std::chrono::seconds(3);          // until what must happen by itself is given up
};
Sizes choose_sizes(const lab::harness::RunPlan& plan);

/// So many clients that ask for "/" as fast as they get answers.
lab::net::HttpLoad static_load(int port, std::size_t clients, Nanos duration);
/// The same for "/report", the slow call.
lab::net::HttpLoad slow_load(int port, Nanos duration);
/// Products, each as likely as the other, every answer looked at.
lab::net::HttpLoad product_load(int port, Nanos duration, std::uint64_t seed);

/// A body of that size; bytes of every value.
std::string echo_body(std::size_t size, std::uint64_t seed);

}  // namespace blocking_vs_async_io
