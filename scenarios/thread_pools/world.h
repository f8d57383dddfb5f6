#pragma once
// The world that a run of this scenario happens in: this machine's cores. No server; each script and each timed round is a process
// of its own, so that one that hangs can be ended.

#include <memory>

#include "harness/scenario.h"

namespace thread_pools {

lab::harness::Timing timing(const lab::harness::Flags& flags);

/// Takes all cores for the run: nothing else runs beside the pools.
std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events);

}  // namespace thread_pools
