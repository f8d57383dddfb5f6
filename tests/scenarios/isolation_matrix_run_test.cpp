// isolation_matrix as its user runs it: every cell on both engines, what is refused, what is left behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "servers/server.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

struct Ran {
  int exit_status = -1;
  std::string text;
};

class IsolationMatrix : public testing::Test {
 protected:
  IsolationMatrix() {
    char pattern[] = "/tmp/isolation-test-XXXXXX";
    folder_ = mkdtemp(pattern);
    fs::create_directory(folder_ / "tmp");
    fs::permissions(folder_, fs::perms(0755));  // run by root, PostgreSQL is another user
    setenv("LAB_TMPDIR", (folder_ / "tmp").c_str(), 1);
  }
  ~IsolationMatrix() override {
    unsetenv("LAB_TMPDIR");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  /// `streams`: what the shell does with them.
  Ran run(const std::string& flags, const std::string& streams = "2>/dev/null") {
    const std::string command = std::string(LAB_ISOLATION_MATRIX) + " --results " +
                                (folder_ / "results").string() + " " + flags + " " + streams;
    const auto output = run_program({"sh", "-c", command}, 110s);
    EXPECT_TRUE(fs::is_empty(folder_ / "tmp")) << "a server's folder was left behind";
    return output ? Ran{output->exit_status, output->text} : Ran{-1, describe(output.error())};
  }

  json run_json(const std::string& flags) {
    const Ran ran = run(flags + " --quick --json");
    const json result = json::parse(ran.text, nullptr, false);
    if (!result.is_object()) {
      ADD_FAILURE() << "no JSON object: " << ran.text;
      return json::object();
    }
    EXPECT_EQ(result["exit_status"], ran.exit_status);
    return result;
  }

  fs::path folder_;
};

std::vector<std::string> names(const json& list) {
  std::vector<std::string> all;
  for (const auto& each : list) all.push_back(each.at("name"));
  return all;
}

/// The anomalies that were seen, in the order of the checks.
std::vector<std::string> seen(const json& result, const std::string& variant) {
  std::vector<std::string> anomalies;
  for (const auto& each : result.at("variants")) {
    if (each.at("name") != variant) continue;
    for (const auto& check : each.at("checks")) {
      if (check.at("verdict") == "violated") anomalies.push_back(check.at("name"));
    }
  }
  return anomalies;
}

/// Of the first variant.
std::string witness(const json& result, const std::string& name) {
  for (const auto& check : result.at("variants").at(0).at("checks")) {
    if (check.at("name") == name) return check.at("witness");
  }
  return "absent";
}

bool skip_without(const servers::Installed& server) {
  if (!server.program.empty()) return false;
  if (std::getenv("CI")) ADD_FAILURE() << server.kind << " is not installed: " << server.how_to_get;
  return true;
}

#define NEEDS(server) \
  if (skip_without(server)) GTEST_SKIP() << "not installed"

TEST_F(IsolationMatrix, EveryCellOfBothEnginesIsAsExpected) {
  NEEDS(servers::find_mariadb());
  NEEDS(servers::find_postgres());
  const json result = run_json("--backend real");
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
  NEEDS(servers::find_mariadb());
  const json result = run_json("--variant mariadb_serializable");
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_THAT(witness(result, "P4"), HasSubstr("abort"));
  EXPECT_THAT(witness(result, "G1a"), HasSubstr("wait"));
  const Ran shown = run("--variant mariadb_serializable --quick");
  EXPECT_THAT(shown.text, HasSubstr("✓ wait"));
  EXPECT_THAT(shown.text, HasSubstr("and what it cost"));
}

TEST_F(IsolationMatrix, OnTheEmbeddedBackendOnlySqliteIsThere) {
  const json result = run_json("--backend embedded");
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_THAT(names(result["variants"]), ElementsAre("sqlite_serializable"));
  EXPECT_THAT(result["notes"].dump(), HasSubstr("needs a server"));
}

TEST_F(IsolationMatrix, WhatWasAskedForAndIsNotThereIsRefused) {
  const Ran ran = run("--backend embedded --variant postgres_serializable --quick", "2>&1");
  EXPECT_EQ(ran.exit_status, 2);
  EXPECT_THAT(ran.text, HasSubstr("has SQLite alone"));
}

TEST_F(IsolationMatrix, AServerOfOnesOwnIsRefused) {
  const Ran ran = run("--sql-url mysql://a:b@127.0.0.1/x --quick", "2>&1");
  EXPECT_EQ(ran.exit_status, 2);
  EXPECT_THAT(ran.text, HasSubstr("nobody else uses"));
}

}  // namespace
}  // namespace lab
