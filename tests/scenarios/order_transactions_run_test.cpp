// order_transactions as its user runs it: the executable, in smoke size, on embedded and real backends, under every fault;
// kill -9 of the run itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "scenario_run.h"
#include "servers/server.h"

namespace lab {
namespace {

using nlohmann::json;
using test::expect_all_as_promised;
using ::testing::HasSubstr;

class Orders : public test::ScenarioRun {
 protected:
  Orders() : ScenarioRun(LAB_SCENARIO) {}
  bool a_client_lives() const { return somebody_runs("--role=client"); }
};

const std::vector<std::string> kSafe{"select_for_update",  "optimistic_version",
                                     "conditional_update", "serializable_retry",
                                     "idempotent_order",   "one_round_trip"};
const std::vector<std::string> kWithKey{"idempotent_order", "one_round_trip"};

bool has_key(const std::string& name) {
  return std::find(kWithKey.begin(), kWithKey.end(), name) != kWithKey.end();
}

/// What must be so on every engine under app-crash.
void expect_the_lesson(const json& result) {
  expect_all_as_promised(result);
  EXPECT_EQ(result["variants"].size(), 9u);
  for (const auto& variant : result["variants"]) {
    for (const auto& guard : variant["guards"]) EXPECT_EQ(guard["satisfied"], true) << guard.dump();
  }
}

class OrdersOnAnyEngine : public Orders, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("mariadb")) LAB_NEEDS(servers::find_mariadb());
    if (GetParam() == std::string("postgres")) LAB_NEEDS(servers::find_postgres());
  }
  std::vector<std::string> on_this_engine(std::vector<std::string> flags) {
    const std::string engine = GetParam();
    if (engine == "sqlite") {
      flags.insert(flags.end(), {"--backend", "embedded"});
      // One process at a time writes there. Where each is slow, too, few of them meet at a last item.
      if (test::sanitized()) flags.insert(flags.end(), {"--duration", "2s"});
    } else {
      flags.insert(flags.end(), {"--backend", "real", "--sql", engine});
    }
    return flags;
  }
};

TEST_P(OrdersOnAnyEngine, EveryVariantDoesAsPromisedWhileClientsAreKilled) {
  const json result = run_json(on_this_engine({"--rounds", "1"}));
  expect_the_lesson(result);
  const std::string proof = witness(result, "read_then_write", "no-oversell");
  EXPECT_THAT(proof, HasSubstr("were sold"));
  EXPECT_THAT(proof, HasSubstr("has\u00a0order"));
  for (const auto& name : kSafe) {
    EXPECT_EQ(metric(result, name, "oversold"), 0);
    EXPECT_EQ(metric(result, name, "undersold"), 0);
    EXPECT_EQ(metric(result, name, "orphans"), 0);
    EXPECT_EQ(metric(result, name, "kills"), 12);
    EXPECT_EQ(verdict(result, name, "once"), has_key(name) ? "holds" : "violated");
  }
  for (const auto& name : kWithKey) {
    EXPECT_EQ(metric(result, name, "duplicates"), 0);
    for (const char* step : {"after_begin", "after_stock_update", "after_order_insert",
                             "before_commit", "after_commit"})
      EXPECT_GE(metric(result, name, std::string("killed_") + step), 1) << name << " " << step;
  }
}

TEST_P(OrdersOnAnyEngine, WithoutAFaultTheSafeOnesHoldEverything) {
  const json result =
      run_json(on_this_engine({"--rounds", "0", "--fault", "none", "--variant",
                               "read_then_write,optimistic_version,serializable_retry"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  for (const char* name : {"optimistic_version", "serializable_retry"})
    EXPECT_EQ(variant(result, name)["verdict"], "holds");
}

TEST_P(OrdersOnAnyEngine, WhatWasAcknowledgedSurvivesTheDatabasesDeath) {
  if (GetParam() == std::string("sqlite")) {
    const auto ran = run(on_this_engine({"--fault", "db-kill"}));
    EXPECT_EQ(ran.exit_status, 2);  // it has no process of its own
    return;
  }
  const json result = run_json(on_this_engine(
      {"--rounds", "0", "--fault", "db-kill", "--variant", "idempotent_order,one_round_trip"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  for (const auto& name : kWithKey) EXPECT_EQ(verdict(result, name, "acknowledged"), "holds");
  EXPECT_THAT(std::string(result["servers"][0]["durability"]), HasSubstr("every commit flushed"));
}

TEST_P(OrdersOnAnyEngine, ADatabaseThatStandsStillLosesNothing) {
  if (GetParam() == std::string("sqlite")) GTEST_SKIP() << "it has no process of its own";
  const json result = run_json(
      on_this_engine({"--rounds", "0", "--fault", "db-pause", "--variant", "select_for_update"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
}

TEST_P(OrdersOnAnyEngine, AResetDuringCommitIsRepeatedSafelyOnlyWithAKey) {
  if (GetParam() == std::string("sqlite")) GTEST_SKIP() << "it has no connections";
  const json result =
      run_json(on_this_engine({"--rounds", "0", "--fault", "db-reset", "--variant",
                               "conditional_update,idempotent_order,one_round_trip"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_EQ(verdict(result, "conditional_update", "once"), "violated");
  for (const auto& name : kWithKey) EXPECT_EQ(verdict(result, name, "once"), "holds");
}

INSTANTIATE_TEST_SUITE_P(Engines, OrdersOnAnyEngine,
                         ::testing::Values("sqlite", "mariadb", "postgres"),
                         [](const auto& engine) { return std::string(engine.param); });

/// For every day with few variants.
TEST_F(Orders, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  const auto results = every_seed_tells_the_same_story(
      {.broken = {"read_then_write", "transaction_only", "check_then_decrement"},
       .everyday_flags = {"--variant",
                          "read_then_write,transaction_only,check_then_decrement,idempotent_order,"
                          "one_round_trip"}});
  for (const auto& result : results) {
    for (const auto& name : kWithKey) EXPECT_EQ(variant(result, name)["as_promised"], "holds");
  }
}

TEST_F(Orders, KillMinusNineOfTheRunLeavesNothingBehind) {
  kill_at_random_moments({.rounds = 3,
                          .flags = {"--backend", "embedded"},
                          .after = [&] { return a_client_lives(); },
                          .within = 300ms});
}

TEST_F(Orders, CtrlCEndsTheClientsToo) {
  interrupt({"--backend", "embedded"}, [&] { return a_client_lives(); });
  EXPECT_TRUE(test::eventually(2s, [&] { return !a_client_lives(); }));
}

TEST_F(Orders, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "order-transactions");
  EXPECT_EQ(description["variants"].size(), 9u);
  EXPECT_EQ(description["checks"].size(), 8u);
}

}  // namespace
}  // namespace lab
