// --serve: a scenario's program as the server of one variant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "core/result.h"
#include "harness/exit_status.h"
#include "harness/scenario.h"

namespace lab::harness {
namespace {

using testing::HasSubstr;

Scenario scenario() {
  Scenario scenario;
  scenario.name = "sample";
  scenario.question = "?";
  scenario.variants = {{"naive", Promise::must_break("fair"), "takes one at a time", "", ""},
                       {"better", Promise::must_hold(), "takes many", "", ""}};
  scenario.faults = {{"none", "nothing"}};
  return scenario;
}

struct Said {
  int status = -1;
  std::string err;
};

Said run(const Scenario& scenario, std::vector<const char*> words) {
  words.insert(words.begin(), "sample");
  testing::internal::CaptureStderr();
  Said said;
  said.status =
      run_main(scenario, static_cast<int>(words.size()), const_cast<char**>(words.data()));
  said.err = testing::internal::GetCapturedStderr();
  return said;
}

TEST(Serve, HandsTheVariantAndThePortToTheScenario) {
  Scenario sample = scenario();
  std::string served;
  sample.serve = [&](const ServeRequest& request) {
    served = request.variant.name + ":" + std::to_string(request.port) + request.flags.redis_url;
    return 0;
  };
  const auto said =
      run(sample, {"--serve", "--variant", "better", "--port", "8080", "--redis-url", "redis://h"});
  EXPECT_EQ(said.status, kAsPromised);
  EXPECT_EQ(served, "better:8080redis://h");
  EXPECT_EQ(said.err, "");
}

TEST(Serve, SaysThatAVariantIsBrokenOnPurpose) {
  Scenario sample = scenario();
  sample.serve = [](const ServeRequest&) { return 0; };
  const auto said = run(sample, {"--serve", "--variant", "naive"});
  EXPECT_EQ(said.status, kAsPromised);
  EXPECT_THAT(said.err, HasSubstr("naive is broken on purpose"));
}

TEST(Serve, AMistypedVariantGetsTheNearestOne) {
  Scenario sample = scenario();
  sample.serve = [](const ServeRequest&) { return 0; };
  const auto said = run(sample, {"--serve", "--variant", "beter"});
  EXPECT_EQ(said.status, kUsage);
  EXPECT_THAT(said.err, HasSubstr("did you mean 'better'?"));
}

TEST(Serve, NeedsOneVariant) {
  Scenario sample = scenario();
  sample.serve = [](const ServeRequest&) { return 0; };
  EXPECT_EQ(run(sample, {"--serve"}).status, kUsage);
  EXPECT_EQ(run(sample, {"--serve", "--variant", "better,naive"}).status, kUsage);
  EXPECT_EQ(run(sample, {"--serve", "--variant", "better", "--port", "65536"}).status, kUsage);
}

TEST(Serve, AScenarioWithoutAServerSaysSo) {
  const auto said = run(scenario(), {"--serve", "--variant", "better"});
  EXPECT_EQ(said.status, kUsage);
  EXPECT_THAT(said.err, HasSubstr("no servers"));
}

TEST(Serve, AServerThatCannotListenIsTheEnvironments) {
  Scenario sample = scenario();
  sample.serve = [](const ServeRequest&) -> int { throw Failure("the port is taken"); };
  const auto said = run(sample, {"--serve", "--variant", "better"});
  EXPECT_EQ(said.status, kEnvironmentFailed);
  EXPECT_THAT(said.err, HasSubstr("the port is taken"));
}

}  // namespace
}  // namespace lab::harness
