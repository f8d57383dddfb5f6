#pragma once
// One variant's fault run.

#include "backends/backends.h"
#include "checks.h"
#include "harness/scenario.h"
#include "worker_process.h"

namespace queue_retries {

inline constexpr const char* kWorkerKill = "worker-kill";
inline constexpr const char* kWorkerPause = "worker-pause";
inline constexpr const char* kBrokerKillVolatile = "broker-kill-volatile";

/// How much happens in a fault run.
struct Sizes {
  Amounts jobs{.load = 600};
  std::size_t kills = 40;
  std::size_t pauses = 8;
  Nanos lease{}, sweep_every{};
  Nanos takes{};  // a call of the provider
  Nanos retry_base{}, retry_cap{};
  Nanos patience{};  // until everything that is left must be done
};
Sizes choose_sizes(const lab::harness::RunPlan& plan);

/// What a run needs. References stay valid for the whole run.
struct Setting {
  const lab::harness::RunPlan& plan;
  lab::backends::Backends& backends;
  const Recipe& recipe;
  Sizes sizes;
};

/// Where the variant's jobs are; each name is an empty queue.
QueuePlace place_of(const Setting& setting, const std::string& name, bool through_proxy);

/// The load, spread over time, while workers die or the broker does · until it is drained · the script: a herd that fails
/// together, then jobs longer than their lease · until each is drained · the workers are asked to stop · the books are read.
lab::harness::TrialReport run_with_fault(const Setting& setting, lab::harness::EventStream& events);

}  // namespace queue_retries
