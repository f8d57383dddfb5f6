#pragma once
// What the servers give at best for the work of a timed round: as many jobs, as many in flight, in batches of the same
// size, and nothing of the queue's client. The bound of any client, and of any queue that asks the server for this.

#include "fault_run.h"

namespace queue_retries {

/// Redis: the queue's own scripts, encoded beforehand, so many under way at once that the server never waits for a
/// request. RabbitMQ, when the run has one: messages of the same bodies through a quorum queue, published with confirms,
/// consumed and acknowledged. One sample of each, as a round has of a variant; empty where there is no such server.
std::vector<lab::harness::Limit> measure_limits(const lab::harness::RunPlan& plan,
                                                lab::backends::Backends& backends);

}  // namespace queue_retries
