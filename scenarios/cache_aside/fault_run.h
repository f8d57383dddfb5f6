#pragma once
// One variant's fault run and its timed rounds.

#include "world.h"

namespace cache_aside {

/// What both kinds of run need. References stay valid for the whole run.
struct Setting {
  const lab::harness::RunPlan& plan;
  lab::backends::Backends& backends;
  ProductRepository& products;
  const Recipe& recipe;
  Times times;
};

/// Operations per second of the open loop: well below what the slowest variant can do when healthy,
/// so that latency shows the variant and not a queue.
double fault_run_rate();

/// In this order: the hot entry expires under 16 clients · the open loop, with the fault in its
/// middle · a slow reader against a writer, on products that nobody else touches · rest, then nodes
/// and database are compared.
lab::harness::TrialReport run_with_fault(const Setting& setting, lab::harness::EventStream& events);

/// Capacity over a warm cache (closed loop, reads only), then latency under the mix
/// (open loop).
lab::harness::RoundReport run_timed_round(const Setting& setting, int index);

}  // namespace cache_aside
