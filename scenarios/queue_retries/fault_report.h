#pragma once
// What a fault run adds up to: verdicts, guards, figures.

#include <optional>
#include <vector>

#include "actors/actor_pool.h"
#include "actors/crash_points.h"
#include "fault_run.h"

namespace queue_retries {

/// What was seen of a fault run.
struct Seen {
  const Evidence& evidence;
  lab::actors::PoolCounts workers;
  std::vector<lab::actors::CrashPoints::Count> points;
  std::vector<lab::harness::FaultTime> faults;
  std::optional<lab::backends::FaultEffect>
      broker_effect;          // of the broker's fault, when it had one
  Nanos load_took{}, took{};  // until all jobs were enqueued · until the workers had ended
};

lab::harness::TrialReport report_of(const Setting& setting, const Seen& seen);

}  // namespace queue_retries
