#pragma once
// The world that a run of this scenario happens in: a database, client processes, and one desk's code in each.

#include <memory>
#include <vector>

#include "harness/scenario.h"
#include "recipe.h"

namespace order_transactions {

std::vector<lab::harness::FaultChoice> faults();

lab::harness::Timing timing(const lab::harness::Flags& flags);

std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes);

}  // namespace order_transactions
