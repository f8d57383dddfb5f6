#pragma once
// The engines that the chosen variants need, and the scripts played on them.

#include <memory>
#include <vector>

#include "harness/scenario.h"
#include "isolation_level.h"
#include "judge/list_append.h"

namespace isolation_matrix {

struct Recipe {
  std::string variant;
  std::shared_ptr<IsolationLevel> level;
  lab::judge::Level judged_at;  // what a recorded history of it is held to
};

lab::harness::Timing timing(const lab::harness::Flags& flags);

/// Throws Failure: `invalid` for an address of the user's own, `unavailable` when a server is
/// missing that a chosen variant needs.
std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes);

}  // namespace isolation_matrix
