#pragma once
// The invariants over what the scripts left.

#include <vector>

#include "evidence.h"
#include "harness/check.h"

namespace thread_pools {

inline constexpr const char* kRunsOnce = "accepted-runs-once";
inline constexpr const char* kNoLostWakeUp = "no-lost-wake-up";
inline constexpr const char* kNestedWaitEnds = "nested-wait-ends";
inline constexpr const char* kBounded = "queue-bounded";
inline constexpr const char* kExceptionArrives = "exception-reaches-its-future";
inline constexpr const char* kNothingAfter = "nothing-after-shutdown";
inline constexpr const char* kNotFrozen = "bystander-not-frozen";

const std::vector<lab::harness::Check<Evidence>>& checks();

// For the run's figures.

/// The most tasks that had been accepted and had not ended, at one moment.
std::size_t most_unfinished(const ScriptEvidence& script);
/// What 99 of 100 bystanders waited at most, without a core or with one; zero without any.
Nanos bystander_p99(const ScriptEvidence& script);

}  // namespace thread_pools
