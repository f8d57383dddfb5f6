#pragma once
// The variant without a node: the same rooms, speakers and readers, inside the run's own process.

#include "fault_run.h"

namespace pubsub_fanout {

/// No fault reaches it.
lab::harness::TrialReport run_bus(const Setting& setting);
/// bus_deliveries_per_second: a call is no delivery over a socket, and is not ranked with them.
lab::harness::RoundReport bus_round(const Setting& setting);

}  // namespace pubsub_fanout
