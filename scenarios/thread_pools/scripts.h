#pragma once
// The workload's scripts, played on one pool inside this process.

#include <functional>

#include "evidence.h"
#include "recipes.h"
#include "workload.h"

namespace thread_pools {

/// Plays the script on a new pool and returns what it left. Where the pool hangs, `on_stuck` gets the evidence instead, from the
/// watchdog's thread; it must end the process, for play() never returns then.
ScriptEvidence play(const Orders& orders, const Recipe& recipe,
                    const std::function<void(const ScriptEvidence&)>& on_stuck);

/// The role's main: takes its orders from the run, and tells it the evidence as one line of JSON. Returns the exit status.
int script_main();
inline constexpr const char* kScriptRole = "script";

}  // namespace thread_pools
