// isolation_matrix as its user runs it: every cell on both engines, what is refused, what is left behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scenario_run.h"
#include "servers/server.h"

namespace lab {
namespace {

using nlohmann::json;
using test::Ran;
using testing::ElementsAre;
using testing::HasSubstr;

class IsolationMatrix : public test::ScenarioRun {
 protected:
  IsolationMatrix() : ScenarioRun(LAB_SCENARIO) {}

  /// The anomalies that were seen, in the order of the checks.
  static std::vector<std::string> seen(const json& result, const std::string& name) {
    std::vector<std::string> anomalies;
    for (const auto& check : variant(result, name).at("checks")) {
      if (check.at("verdict") == "violated") anomalies.push_back(check.at("name"));
    }
    return anomalies;
  }
};

std::vector<std::string> names(const json& list) {
  std::vector<std::string> all;
  for (const auto& each : list) all.push_back(each.at("name"));
  return all;
}

TEST_F(IsolationMatrix, EveryCellOfBothEnginesIsAsExpected) {
  LAB_NEEDS(servers::find_mariadb());
  LAB_NEEDS(servers::find_postgres());
  const json result = run_json({"--backend", "real"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_EQ(result["variants"].size(), 9U);
  EXPECT_EQ(result["checks"].size(), 13U);
  EXPECT_THAT(
      seen(result, "mariadb_repeatable_read"),
      ElementsAre("P4", "G-single-write", "G2-item", "G2-predicate", "internal", "MAV", "history"));
  EXPECT_THAT(seen(result, "postgres_repeatable_read"), ElementsAre("G2-item", "G2-predicate"));
  EXPECT_THAT(seen(result, "mariadb_snapshot_isolation"), ElementsAre("G2-item", "G2-predicate"));
  EXPECT_THAT(seen(result, "postgres_serializable"), ElementsAre());
}

TEST_F(IsolationMatrix, PreventionHasItsPrice) {
  LAB_NEEDS(servers::find_mariadb());
  const json result = run_json({"--variant", "mariadb_serializable"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_THAT(witness(result, "mariadb_serializable", "P4"), HasSubstr("abort"));
  EXPECT_THAT(witness(result, "mariadb_serializable", "G1a"), HasSubstr("wait"));
  const Ran shown = run({"--variant", "mariadb_serializable"});
  EXPECT_THAT(shown.text, HasSubstr("✓ wait"));
  EXPECT_THAT(shown.text, HasSubstr("and what it cost"));
}

TEST_F(IsolationMatrix, OnTheEmbeddedBackendOnlySqliteIsThere) {
  const json result = run_json({"--backend", "embedded"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_THAT(names(result["variants"]), ElementsAre("sqlite_serializable"));
  EXPECT_THAT(result["notes"].dump(), HasSubstr("needs a server"));
}

TEST_F(IsolationMatrix, WhatWasAskedForAndIsNotThereIsRefused) {
  const Ran ran = run_and_listen({"--backend", "embedded", "--variant", "postgres_serializable"});
  EXPECT_EQ(ran.exit_status, 2);
  EXPECT_THAT(ran.text, HasSubstr("has SQLite alone"));
}

TEST_F(IsolationMatrix, AServerOfOnesOwnIsRefused) {
  const Ran ran = run_and_listen({"--sql-url", "mysql://a:b@127.0.0.1/x"});
  EXPECT_EQ(ran.exit_status, 2);
  EXPECT_THAT(ran.text, HasSubstr("nobody else uses"));
}

}  // namespace
}  // namespace lab
