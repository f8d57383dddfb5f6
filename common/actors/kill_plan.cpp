#include "actors/kill_plan.h"

#include <algorithm>

#include "core/random.h"

namespace lab::actors {
namespace {

/// Each place as often as the others, in random order: a place is a point, or empty for a random moment.
std::vector<std::string> shuffled_places(const KillPlan& plan, Random& random) {
  std::vector<std::string> places;
  for (std::size_t i = 0; i < plan.kills; ++i) {
    const std::size_t place = i % (plan.points.size() + 1);
    places.push_back(place < plan.points.size() ? plan.points[place] : std::string());
  }
  for (std::size_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[random.below(i)]);
  return places;
}

}  // namespace

std::vector<std::vector<Death>> plan_deaths(const KillPlan& plan) {
  std::vector<std::vector<Death>> deaths(plan.actors);
  if (plan.actors == 0) return deaths;
  Random random(plan.seed);
  const auto places = shuffled_places(plan, random);
  for (std::size_t i = 0; i < places.size(); ++i) {
    Death death;
    death.point = places[i];
    death.passing = 1 + random.below(std::max<std::uint64_t>(1, plan.most_passings));
    deaths[i % plan.actors].push_back(std::move(death));
  }
  for (auto& lives : deaths) {
    if (lives.empty()) continue;
    // The last quarter of the load is left for the last deaths to be caught up with.
    const double mean_life =
        0.75 * static_cast<double>(plan.duration.count()) / static_cast<double>(lives.size());
    for (auto& death : lives)
      death.after = Nanos(static_cast<std::int64_t>(mean_life * (0.5 + random.unit() * 0.9)));
  }
  return deaths;
}

}  // namespace lab::actors
