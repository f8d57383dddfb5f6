#pragma once
// How many jobs a second, without faults and with a provider that answers at once: what the queue costs.

#include "fault_run.h"

namespace queue_retries {

inline constexpr std::size_t kInFlight = 64;  // jobs that workers have in hand, all together

/// Enqueueing, draining what was enqueued, and both at the same time.
lab::harness::RoundReport run_timed_round(const Setting& setting);

/// What Redis gives for the very same scripts: as many connections, each with a queue of its own, and requests that were
/// encoded beforehand; of the answers only the errors are looked at. Empty without Redis.
std::vector<lab::harness::Limit> measure_limits(const Setting& setting);

}  // namespace queue_retries
