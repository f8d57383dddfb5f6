#pragma once
// A variant's fault run: nodes, a crowd of clients that say and hear things, the run's fault, and what came of it.

#include <string>

#include "backends/backends.h"
#include "harness/scenario.h"
#include "node_process.h"
#include "workload.h"

namespace pubsub_fanout {

struct Setting {
  const lab::harness::RunPlan& plan;
  lab::backends::Backends& backends;
  const Recipe& recipe;
  const Sizes& sizes;
};

lab::harness::TrialReport run_with_fault(const Setting& setting, lab::harness::EventStream& events);

}  // namespace pubsub_fanout
