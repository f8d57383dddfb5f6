#pragma once
// The world that a run of this scenario happens in: a broker, a database with the provider's books, and workers that are
// processes.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fault_run.h"
#include "harness/scenario.h"
#include "worker_process.h"

namespace queue_retries {

lab::harness::Timing timing(const lab::harness::Flags& flags);

/// Changes what choose_sizes() says, for a variant.
using Adjust = std::function<void(const std::string& variant, Sizes&)>;

std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes, Adjust adjust = {});

}  // namespace queue_retries
