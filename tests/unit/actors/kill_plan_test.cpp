// The same seed plans the same deaths; every place gets its share.
#include "actors/kill_plan.h"

#include <gtest/gtest.h>

#include <map>

namespace lab::actors {
namespace {

const KillPlan kPlan{.seed = 7,
                     .actors = 4,
                     .kills = 60,
                     .points = {"a", "b", "c", "d", "e"},
                     .duration = 10s,
                     .most_passings = 4};

TEST(KillPlan, EveryPlaceGetsItsShare) {
  std::map<std::string, int> places;
  for (const auto& lives : plan_deaths(kPlan)) {
    EXPECT_EQ(lives.size(), 15u);
    for (const auto& death : lives) {
      ++places[death.point];
      EXPECT_GE(death.passing, 1u);
      EXPECT_LE(death.passing, 4u);
    }
  }
  EXPECT_EQ(places.size(), 6u);  // the empty one is the random moment
  for (const auto& [place, count] : places) EXPECT_EQ(count, 10) << place;
}

TEST(KillPlan, DeathsAreSpreadOverTheLoad) {
  for (const auto& lives : plan_deaths(kPlan)) {
    Nanos end{};
    for (const auto& death : lives) {
      EXPECT_GT(death.after, Nanos{});
      end += death.after;
    }
    EXPECT_GT(end, kPlan.duration / 2);
    EXPECT_LT(end, kPlan.duration);
  }
}

TEST(KillPlan, TheSeedDecides) {
  const auto flat = [](const KillPlan& plan) {
    std::string text;
    for (const auto& lives : plan_deaths(plan)) {
      for (const auto& death : lives)
        text += death.point + std::to_string(death.passing) + "@" +
                std::to_string(death.after.count()) + " ";
    }
    return text;
  };
  KillPlan other = kPlan;
  EXPECT_EQ(flat(kPlan), flat(other));
  other.seed = 8;
  EXPECT_NE(flat(kPlan), flat(other));
}

TEST(KillPlan, NobodyToKillOrNoKillsIsNoPlan) {
  KillPlan plan = kPlan;
  plan.kills = 0;
  for (const auto& lives : plan_deaths(plan)) EXPECT_TRUE(lives.empty());
  plan.actors = 0;
  plan.kills = 10;
  EXPECT_TRUE(plan_deaths(plan).empty());
}

}  // namespace
}  // namespace lab::actors
