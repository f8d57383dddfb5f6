#pragma once
// Which actor is to die when and where: made from the seed before the run starts, so the same seed always plans the same
// deaths. What each of them interrupts is not the plan's to say.

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"

namespace lab::actors {

/// One planned death.
struct Death {
  std::string point;          // of CrashPoints; empty: killed from outside, at a random moment
  std::uint64_t passing = 1;  // at which passing of the point, counted once `after` is over
  Nanos after{};              // since the actor was started
};

struct KillPlan {
  std::uint64_t seed = 1;
  std::size_t actors = 4;
  std::size_t kills = 0;
  /// Each gets as many deaths as the others, and so does the random moment.
  std::vector<std::string> points;
  Nanos duration{};                 // of the load; the deaths are spread over it
  std::uint64_t most_passings = 4;  // the passing is one of 1 to this
};

/// By actor, its deaths in order: the first life ends with the first. After the last it is left alone.
std::vector<std::vector<Death>> plan_deaths(const KillPlan& plan);

}  // namespace lab::actors
