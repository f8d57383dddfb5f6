#pragma once
// Who asks for what: an API server's loop that is asked for logins, and small scripts that bring a pool to the points where pools
// break. The same for all variants.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/scenario.h"
#include "hashing.h"
#include "pool.h"

namespace thread_pools {

using lab::Nanos;

// The scripts, each played in a process of its own.
inline constexpr const char* kLogins = "logins";  // the load, under the run's fault
inline constexpr const char* kWakeUps =
    "wake-ups";  // a few tasks, then silence, again and again; one worker
inline constexpr const char* kNested = "nested";  // a task that needs another one; one worker
inline constexpr const char* kExceptions = "exceptions";  // more tasks throw than there are workers
inline constexpr const char* kCrowd = "crowd";  // more tasks than the pool may hold, and none ends
inline constexpr const char* kBehind =
    "behind-a-blocked-task";  // of a full queue, one task waits for the rest
inline constexpr const char* kCloseDrain = "close-drain";         // shut down amid load
inline constexpr const char* kCloseGiveBack = "close-give-back";  // the same, giving back

/// In the order of play.
const std::vector<std::string>& scripts();

// The faults: what happens to the logins.
inline constexpr const char* kBurst = "burst";
inline constexpr const char* kThrowing = "throwing-tasks";
inline constexpr const char* kBlocking = "blocking-tasks";
inline constexpr const char* kShutdown = "shutdown";
inline constexpr const char* kNone = "none";

/// Everything that a script is told. The same seed gives the same orders.
struct Orders {
  std::string variant, script, fault;
  PoolSize size;
  std::uint64_t seed = 1;
  std::size_t logins = 48;
  std::size_t wake_ups = 200;
  std::size_t closing_tasks =
      32;  // of each submitter before the pool closes; then it goes on until it has closed
  Nanos patience{};  // of the watchdog
  HashCost login{.kind = HashKind::argon2id, .passes = 1, .memory_kib = 8192};
};

std::string to_json(const Orders& orders);
Orders orders_from_json(const std::string& text);

/// All scripts of one variant's fault run.
std::vector<Orders> orders_for(const std::string& variant, const lab::harness::RunPlan& plan,
                               std::size_t cores);

inline constexpr Nanos kPingEvery = std::chrono::milliseconds(1);  // the bystander's
/// A bystander's p99 says nothing with fewer.
inline constexpr std::size_t kFewestPings = 50;

}  // namespace thread_pools
