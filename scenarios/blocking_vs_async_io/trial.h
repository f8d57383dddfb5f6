#pragma once
// One variant against every kind of bad peer, each in its turn.

#include "checks.h"
#include "harness/scenario.h"
#include "net/server_process.h"
#include "serving.h"

namespace blocking_vs_async_io {

/// What a run needs. References stay valid for the whole run.
struct Setting {
  const lab::harness::RunPlan& plan;
  Sizes sizes;
  ServeOrders orders;     // of the variant
  std::vector<int> cpus;  // of its process
  bool insist =
      true;  // on an answer about the throughput beside slow peers, and take more windows for it
};

/// Starts its process; `few_descriptors` puts the limit of the exhaustion in force.
lab::net::ServerProcess start(const Setting& setting, bool few_descriptors = false);

/// Echoes, oddly sent and interrupted · others beside a slow call · slow peers, in windows · peers that never read · idle
/// connections · have the descriptors returned? · and in a second process: more connections than descriptors.
lab::harness::TrialReport run_trial(const Setting& setting, lab::harness::EventStream& events);

}  // namespace blocking_vs_async_io
