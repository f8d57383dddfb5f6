// Every check of large_file_streaming is seen to fail on a real server: what the variants do not break, the mutants do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scenario_run.h"

namespace lab {
namespace {

using nlohmann::json;

class StreamingMutants : public test::ScenarioRun {
 protected:
  StreamingMutants() : ScenarioRun(LAB_SCENARIO) {}
};

TEST_F(StreamingMutants, EachBreaksItsCheck) {
  const json result = run_json({"--rounds", "0"});
  EXPECT_EQ(verdict(result, "many_members", "content-exact"), "violated");
  EXPECT_EQ(verdict(result, "from_the_beginning", "ranges-exact"), "violated");
  EXPECT_EQ(verdict(result, "open_once", "conditions-right"), "violated");
  // On a machine that slept itself, the check rightly cannot tell.
  EXPECT_NE(verdict(result, "whole_answer_in_time", "slow-reader-served"), "holds");
  for (const auto& each : result["variants"])
    EXPECT_NE(each["as_promised"], "violated") << each.dump(1);
}

}  // namespace
}  // namespace lab
