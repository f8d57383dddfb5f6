#pragma once
// How many jobs a second, without faults and with a provider that answers at once: what the queue costs.

#include "fault_run.h"

namespace queue_retries {

inline constexpr std::size_t kThreads = 4;  // producers, and as many workers
/// Jobs that workers have in hand, all together; producers enqueue as many at once.
inline constexpr std::size_t kInFlight = kThreads * kBatch;

std::size_t jobs_in_round(const lab::harness::RunPlan& plan, Store store);

/// Enqueueing, draining what was enqueued, and both at the same time.
lab::harness::RoundReport run_timed_round(const Setting& setting);

}  // namespace queue_retries
