// A fault that nobody felt proves nothing; here the effect is seen both ways, on the embedded twin.

#include <gtest/gtest.h>

#include "backends/backends.h"

namespace lab::backends {
namespace {

using namespace std::chrono_literals;

class FaultEffects : public testing::TestWithParam<const char*> {
 protected:
  /// A run that starts no server: short phases on the embedded twin.
  harness::RunPlan plan_with(const std::string& fault) {
    harness::RunPlan plan;
    plan.flags.backend = harness::Backend::embedded;
    plan.fault = fault;
    plan.timing = {.warm_up = 0ms, .steady = 1ms, .fault = 50ms, .recovery = 1ms};
    return plan;
  }

  harness::EventStream events_;
};

TEST_P(FaultEffects, IsSeenWhenTheFaultTakesPlace) {
  auto plan = plan_with(GetParam());
  const auto opened = open(plan, events_, {.redis = true});
  faults::FaultPlan faults(opened.redis->faults(plan.timing));
  faults.start(now());
  faults.finish();
  EXPECT_TRUE(opened.redis->effect().felt) << opened.redis->effect().detail;
}

TEST_P(FaultEffects, IsNotSeenWhenItDoesNot) {
  auto plan = plan_with(GetParam());
  const auto opened = open(plan, events_, {.redis = true});
  EXPECT_FALSE(opened.redis->effect().felt);
}

TEST_P(FaultEffects, OfAnEarlierFaultSaysNothingOfTheNext) {
  auto plan = plan_with(GetParam());
  const auto opened = open(plan, events_, {.redis = true});
  {
    faults::FaultPlan first(opened.redis->faults(plan.timing));
    first.start(now());
    first.finish();
  }
  const faults::FaultPlan next(opened.redis->faults(plan.timing));
  EXPECT_FALSE(opened.redis->effect().felt) << opened.redis->effect().detail;
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultEffects,
                         testing::Values("redis-kill", "redis-pause", "redis-old-dump"));

}  // namespace
}  // namespace lab::backends
