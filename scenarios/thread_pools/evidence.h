#pragma once
// What a run of one variant leaves behind, as plain data. Times are counted from the script's zero.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "pool.h"

namespace thread_pools {

using lab::Nanos;

inline constexpr std::int64_t kNever = -1;

/// One task. `kNever` where something did not happen.
struct TaskTrace {
  std::int64_t invoked = kNever, returned = kNever;  // submit()
  std::int64_t began = kNever, ended = kNever;       // of its last run
  std::uint32_t runs = 0,
                failures = 0;  // how often it ran, and how often its owner was told that it threw
  bool accepted = false;
  bool threw = false;
  bool given_back = false;
};

/// One of the API's other requests: when it was due, how long after that it was answered, and for how much of that time at most its
/// thread had no core, and waited for somebody (core_wait.h).
struct Bystander {
  std::int64_t planned = 0, latency = 0, no_core = 0, waited = 0;
};

/// Nothing moved for so long that somebody must wait for ever.
struct Stuck {
  Nanos since{}, at{};
  std::size_t waiting = 0, running = 0;  // tasks: accepted and not begun, begun and not ended
  std::string doing;                     // what the script was at: "shutdown(drain)"
  std::string waits;                     // what its threads wait for, readable on its own
  std::optional<Nanos>
      freed_by_a_bell;  // another task was submitted, and so long after that a waiting one began
};

/// What one script left, run in a process of its own.
struct ScriptEvidence {
  std::string script;
  PoolSize size;
  std::vector<TaskTrace> tasks;
  std::optional<Shutdown> how;
  std::int64_t shutdown_began = kNever, shutdown_ended = kNever;
  std::vector<Bystander> bystanders;
  Nanos one_hash{};                 // computed in that process, before
  Nanos hiccup{};                   // by how much its threads were woken late at worst
  std::optional<bool> nested_done;  // whether the waiting task got its answer
  std::size_t futures_kept = 0,
              futures_wrong = 0;  // what threw reached its future; or something else came
  std::optional<Stuck> stuck;
  std::string death;  // how the process died before it had told anything; empty: it did not
};

struct Evidence {
  std::string variant, fault;
  std::vector<ScriptEvidence> scripts;
  const ScriptEvidence* script(const std::string& name) const;
};

std::string to_json(const ScriptEvidence& evidence);
/// Throws nlohmann::json::exception when it is not what to_json() made.
ScriptEvidence evidence_from_json(const std::string& text);

}  // namespace thread_pools
