#pragma once
// The world that a run of this scenario happens in: a broker, a database with the provider's books, and workers that are
// processes.

#include <memory>
#include <vector>

#include "harness/scenario.h"
#include "worker_process.h"

namespace queue_retries {

lab::harness::Timing timing(const lab::harness::Flags& flags);

std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes);

}  // namespace queue_retries
