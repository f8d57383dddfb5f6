#pragma once
// The world that a run of this scenario happens in: Redis, nodes that are processes, clients in the run's own.

#include <memory>
#include <vector>

#include "harness/scenario.h"
#include "node_process.h"

namespace pubsub_fanout {

std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes);

/// One node of the variant alone, with a private Redis where it needs one.
int serve_alone(const lab::harness::ServeRequest& request, const std::vector<Recipe>& recipes);

}  // namespace pubsub_fanout
