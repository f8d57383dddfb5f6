// queue_retries as its user runs it: the executable, in smoke size, on embedded and real backends, under every fault;
// Ctrl-C; kill -9.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "scenario_run.h"
#include "servers/server.h"

namespace lab {
namespace {

using nlohmann::json;
using test::expect_all_as_promised;
using ::testing::HasSubstr;

class QueueRetries : public test::ScenarioRun {
 protected:
  QueueRetries() : ScenarioRun(LAB_SCENARIO) {}
};

TEST_F(QueueRetries, OnRealServersEveryVariantDoesAsPromised) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = run_json({"--backend", "real", "--rounds", "1"});
  expect_all_as_promised(result);
  EXPECT_THAT(witness(result, "pop_and_work", "no-job-lost"), HasSubstr("it had no effect"));
  for (const char* naive : {"pop_and_work", "ack_first"}) {
    EXPECT_GE(metric(result, naive, "jobs_lost") * 20, metric(result, naive, "worker_deaths"))
        << naive << " loses at least one job in twenty kills";
  }
  for (const char* point : {"after_claim", "mid_work", "after_effect", "after_ack"})
    EXPECT_GE(metric(result, "lease_fenced", std::string("deaths_") + point), 1) << point;
  EXPECT_GT(metric(result, "lease_fenced", "drained_per_second"), 0);
}

TEST_F(QueueRetries, OnTheEmbeddedBackendEveryVariantDoesAsPromised) {
  const json result = run_json({"--backend", "embedded", "--rounds", "1"});
  expect_all_as_promised(result);
  EXPECT_THAT(result["notes"].dump(), HasSubstr("streams_group is left out"));
}

TEST_F(QueueRetries, AWorkerThatSleepsPastItsLeaseDoesItTwiceUnlessTheEffectIsFenced) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = run_json({"--fault", "worker-pause", "--rounds", "0", "--variant",
                                "reliable_lease,lease_fenced,streams_group"});
  expect_all_as_promised(result);
  EXPECT_GE(metric(result, "reliable_lease", "jobs_done_twice"), 1);
  EXPECT_EQ(verdict(result, "reliable_lease", "late-completion-rejected"), "violated");
  EXPECT_GE(metric(result, "lease_fenced", "completions_rejected"), 1);
}

TEST_F(QueueRetries, AWorkerThatSleepsLosesItsConnectionAndWithItItsJobs) {
  LAB_NEEDS(servers::find_rabbitmq());
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result =
      run_json({"--fault", "worker-pause", "--rounds", "0", "--variant", "rabbitmq_confirmed"});
  // That others had its jobs is a guard of the run. Whether it hears of it by a rejection, or first that its connection is
  // gone, is a matter of what it does when it wakes.
  expect_all_as_promised(result);
}

TEST_F(QueueRetries, ABrokerKilledComesBackWithWhatItWroteDown) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = run_json(
      {"--fault", "broker-kill", "--rounds", "0", "--variant", "lease_fenced,streams_group"});
  expect_all_as_promised(result);
  EXPECT_THAT(result["servers"].dump(), HasSubstr("append-only file, written before the answer"));
}

TEST_F(QueueRetries, RabbitMqKilledComesBackWithEveryJobThatItConfirmed) {
  LAB_NEEDS(servers::find_rabbitmq());
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result =
      run_json({"--fault", "broker-kill", "--rounds", "0", "--variant", "rabbitmq_confirmed"});
  expect_all_as_promised(result);
  EXPECT_EQ(verdict(result, "rabbitmq_confirmed", "no-job-lost"), "holds");
  EXPECT_THAT(result["servers"].dump(), HasSubstr("quorum queues"));
}

TEST_F(QueueRetries, ABrokerThatIsStoppedForAWhileLosesNothing) {
  LAB_NEEDS(servers::find_rabbitmq());
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = run_json({"--fault", "broker-pause", "--rounds", "0", "--variant",
                                "lease_fenced,streams_group,rabbitmq_confirmed"});
  expect_all_as_promised(result);
}

TEST_F(QueueRetries, ABrokerThatWroteNothingDownLosesWhatItHad) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = run_json({"--fault", "broker-kill-volatile", "--rounds", "0", "--variant",
                                "pop_and_work,lease_fenced"});
  EXPECT_EQ(verdict(result, "lease_fenced", "no-job-lost"), "violated");
  EXPECT_THAT(result["servers"].dump(), HasSubstr("none: no append-only file"));
}

TEST_F(QueueRetries, ResetConnectionsLoseNothing) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_postgres());
  const json result = run_json({"--fault", "broker-reset", "--sql", "postgres", "--rounds", "0",
                                "--variant", "lease_fenced,streams_group"});
  expect_all_as_promised(result);
}

/// LAB_FAULT chooses another fault, of which the broken need not know.
TEST_F(QueueRetries, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  const char* chosen = std::getenv("LAB_FAULT");
  const std::string fault = chosen ? chosen : "worker-kill";
  Proof proof{.broken = {"pop_and_work", "ack_first", "reliable_lease"},
              .flags = {"--fault", fault}};
  if (fault != "worker-kill") proof.broken.clear();
  every_seed_tells_the_same_story(proof);
}

TEST_F(QueueRetries, CtrlCKeepsWhatWasMeasured) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = interrupt({}, [&] { return has_told("ack_first"); });
  EXPECT_FALSE(result["variants"][0]["checks"].empty());  // the first one had finished
}

TEST_F(QueueRetries, KillMinusNineLeavesNothingBehind) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  kill_at_random_moments({.rounds = 3});
}

TEST_F(QueueRetries, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "queue-retries");
  EXPECT_EQ(description["variants"].size(), 6u);
}

}  // namespace
}  // namespace lab
