// thread_pools as its user runs it: who breaks what, how a hang ends, what is left behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scenario_run.h"

namespace lab {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const test::Flags kGood{"--variant", "mutex_queue_pool", "--variant", "asio_thread_pool",
                        "--variant", "tbb_arena",        "--variant", "tbb_flow",
                        "--variant", "stealing_pool"};

class ThreadPools : public test::ScenarioRun {
 protected:
  ThreadPools() : ScenarioRun(LAB_SCENARIO) {}
};

TEST_F(ThreadPools, EveryVariantDoesAsItPromises) {
  const json result = run_json({});
  test::expect_all_as_promised(result);
  EXPECT_EQ(result["variants"].size(), 9U);
  EXPECT_EQ(result["limits"].size(), 3U);
  // Each limit stands beside the variant that is best by its own metric, whoever leads the ranking.
  for (const auto& limit : result["limits"]) {
    const std::string name = limit["metric"], best = limit["best"];
    const int sign = name == "empty_task_ns" ? -1 : 1;  // less is better there
    for (const auto& variant : result["variants"]) {
      if (!variant["ranked"]) continue;
      EXPECT_LE(sign * metric(result, variant["name"], name), sign * metric(result, best, name))
          << variant["name"] << " and " << best;
    }
  }
  EXPECT_GT(metric(result, "stealing_pool", "empty_task_ns"), 0);
}

TEST_F(ThreadPools, AHangIsEndedAndSaysWhatItWaitsFor) {
  const json result = run_json(
      {"--rounds", "0", "--variant", "wait_without_predicate", "--variant", "nested_wait"});
  const std::string bell = witness(result, "wait_without_predicate", "no-lost-wake-up");
  EXPECT_THAT(bell, HasSubstr("0 tasks run"));
  EXPECT_THAT(bell, HasSubstr("later a waiting one began"));
  const std::string nested = witness(result, "nested_wait", "nested-wait-ends");
  EXPECT_THAT(nested, HasSubstr("a pool of 1"));
  EXPECT_THAT(nested, HasSubstr("NestedWait"));
}

TEST_F(ThreadPools, TheGoodOnesStandEveryFault) {
  for (const char* fault : {"throwing-tasks", "blocking-tasks", "shutdown", "none"}) {
    test::Flags flags{"--rounds", "0", "--fault", fault};
    flags.insert(flags.end(), kGood.begin(), kGood.end());
    const json result = run_json(flags);
    EXPECT_EQ(result["verdict"], "holds") << fault << result.dump(1);
  }
}

TEST_F(ThreadPools, CtrlCEndsTheProcesses) {
  const json result = interrupt({}, [&] { return has_told("thread_per_task"); });
  EXPECT_EQ(result["interrupted"], true);
}

TEST_F(ThreadPools, NothingSurvivesAKill) {
  kill_at_random_moments({.rounds = 3});
}

TEST_F(ThreadPools, EverySeedTellsTheSameStory) {
  const auto results = every_seed_tells_the_same_story(
      {.broken = {"inline", "thread_per_task", "wait_without_predicate", "nested_wait"}});
  for (const auto& result : results) {
    for (std::size_t i = 1; i < kGood.size(); i += 2)
      EXPECT_EQ(variant(result, kGood[i])["verdict"], "holds") << variant(result, kGood[i]).dump(1);
  }
}

}  // namespace
}  // namespace lab
