// order_transactions as its user runs it: the executable, in smoke size, on embedded and real backends, under every fault;
// kill -9 of the run itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "core/random.h"
#include "core/subprocess.h"
#include "servers/server.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

const std::string kProgram = LAB_ORDER_TRANSACTIONS;

/// A folder that goes with the test; servers' folders and results go in here, so that leftovers are seen.
class Scratch {
 public:
  Scratch() {
    char pattern[] = "/tmp/orders-test-XXXXXX";
    folder_ = mkdtemp(pattern);
    fs::create_directory(folder_ / "tmp");
    fs::permissions(folder_, fs::perms(0755));  // run by root, PostgreSQL is another user
    setenv("LAB_TMPDIR", (folder_ / "tmp").c_str(), 1);
  }
  ~Scratch() {
    unsetenv("LAB_TMPDIR");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path path() const { return folder_; }
  bool servers_folders_gone() const { return fs::is_empty(folder_ / "tmp"); }

 private:
  fs::path folder_;
};

class Orders : public ::testing::Test {
 protected:
  std::vector<std::string> command(const std::vector<std::string>& flags) {
    std::vector<std::string> argv{kProgram, "--quick", "--results",
                                  (scratch_.path() / "results").string()};
    argv.insert(argv.end(), flags.begin(), flags.end());
    return argv;
  }

  json run_json(std::vector<std::string> flags) {
    flags.emplace_back("--json");
    const auto output = run_program(command(flags), 110s);
    const json result = output ? json::parse(output->text, nullptr, false) : json();
    if (!result.is_object()) {
      ADD_FAILURE() << (output ? output->text : describe(output.error()));
      return json::object();
    }
    EXPECT_EQ(result["exit_status"], output->exit_status);
    EXPECT_TRUE(scratch_.servers_folders_gone());
    return result;
  }

  static const json& variant(const json& result, const std::string& name) {
    static const json none = json::object();
    for (const auto& found : result["variants"]) {
      if (found["name"] == name) return found;
    }
    ADD_FAILURE() << "no variant " << name;
    return none;
  }

  static std::string told(const json& result, const std::string& name, const std::string& check,
                          const char* what) {
    for (const auto& found : variant(result, name)["checks"]) {
      if (found["name"] == check) return found[what];
    }
    return "absent";
  }
  static std::string verdict(const json& result, const std::string& name,
                             const std::string& check) {
    return told(result, name, check, "verdict");
  }

  static double metric(const json& result, const std::string& name, const std::string& what) {
    for (const auto& found : variant(result, name)["metrics"]) {
      if (found["name"] == what) return found["median"];
    }
    ADD_FAILURE() << name << " has no " << what;
    return -1;
  }

  Scratch scratch_;
};

bool skip_without(const servers::Installed& server) {
  if (!server.program.empty()) return false;
  if (std::getenv("CI")) ADD_FAILURE() << server.kind << " is not installed: " << server.how_to_get;
  return true;
}

#define NEEDS(server) \
  if (skip_without(server)) GTEST_SKIP() << "not installed"

const std::vector<std::string> kSafe{"select_for_update", "optimistic_version",
                                     "conditional_update", "serializable_retry",
                                     "idempotent_order"};

/// What must be so on every engine under app-crash.
void expect_the_lesson(const json& result) {
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_EQ(result["variants"].size(), 8u);
  for (const auto& variant : result["variants"]) {
    EXPECT_EQ(variant["as_promised"], "holds") << variant.dump(1);
    for (const auto& guard : variant["guards"]) EXPECT_EQ(guard["satisfied"], true) << guard.dump();
  }
}

class OrdersOnAnyEngine : public Orders, public ::testing::WithParamInterface<const char*> {
 protected:
  std::vector<std::string> on_this_engine(std::vector<std::string> flags) {
    const std::string engine = GetParam();
    if (engine == "sqlite") {
      flags.insert(flags.end(), {"--backend", "embedded"});
    } else {
      flags.insert(flags.end(), {"--backend", "real", "--sql", engine});
    }
    return flags;
  }
  bool cannot_run() const {
    const std::string engine = GetParam();
    return (engine == "mariadb" && skip_without(servers::find_mariadb())) ||
           (engine == "postgres" && skip_without(servers::find_postgres()));
  }
};

TEST_P(OrdersOnAnyEngine, EveryVariantDoesAsPromisedWhileClientsAreKilled) {
  if (cannot_run()) GTEST_SKIP() << "not installed";
  const json result = run_json(on_this_engine({"--rounds", "1"}));
  expect_the_lesson(result);
  const std::string proof = told(result, "read_then_write", "no-oversell", "witness");
  EXPECT_THAT(proof, HasSubstr("were sold"));
  EXPECT_THAT(proof, HasSubstr("has\u00a0order"));
  for (const auto& name : kSafe) {
    EXPECT_EQ(metric(result, name, "oversold"), 0);
    EXPECT_EQ(metric(result, name, "undersold"), 0);
    EXPECT_EQ(metric(result, name, "orphans"), 0);
    EXPECT_EQ(metric(result, name, "kills"), 12);
    EXPECT_EQ(verdict(result, name, "once"), name == "idempotent_order" ? "holds" : "violated");
  }
  EXPECT_EQ(metric(result, "idempotent_order", "duplicates"), 0);
  for (const char* step :
       {"after_begin", "after_stock_update", "after_order_insert", "before_commit", "after_commit"})
    EXPECT_GE(metric(result, "idempotent_order", std::string("killed_") + step), 1) << step;
}

TEST_P(OrdersOnAnyEngine, WithoutAFaultTheSafeOnesHoldEverything) {
  if (cannot_run()) GTEST_SKIP() << "not installed";
  const json result =
      run_json(on_this_engine({"--rounds", "0", "--fault", "none", "--variant",
                               "read_then_write,optimistic_version,serializable_retry"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  for (const char* name : {"optimistic_version", "serializable_retry"})
    EXPECT_EQ(variant(result, name)["verdict"], "holds");
}

TEST_P(OrdersOnAnyEngine, WhatWasAcknowledgedSurvivesTheDatabasesDeath) {
  if (GetParam() == std::string("sqlite")) {
    const auto output = run_program(command(on_this_engine({"--fault", "db-kill"})), 60s);
    EXPECT_EQ(output->exit_status, 2);  // it has no process of its own
    return;
  }
  if (cannot_run()) GTEST_SKIP() << "not installed";
  const json result = run_json(
      on_this_engine({"--rounds", "0", "--fault", "db-kill", "--variant", "idempotent_order"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_EQ(verdict(result, "idempotent_order", "acknowledged"), "holds");
  EXPECT_THAT(std::string(result["servers"][0]["durability"]), HasSubstr("every commit flushed"));
}

TEST_P(OrdersOnAnyEngine, ADatabaseThatStandsStillLosesNothing) {
  if (GetParam() == std::string("sqlite")) GTEST_SKIP() << "it has no process of its own";
  if (cannot_run()) GTEST_SKIP() << "not installed";
  const json result = run_json(
      on_this_engine({"--rounds", "0", "--fault", "db-pause", "--variant", "select_for_update"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
}

TEST_P(OrdersOnAnyEngine, AResetDuringCommitIsRepeatedSafelyOnlyWithAKey) {
  if (GetParam() == std::string("sqlite")) GTEST_SKIP() << "it has no connections";
  if (cannot_run()) GTEST_SKIP() << "not installed";
  const json result = run_json(on_this_engine({"--rounds", "0", "--fault", "db-reset", "--variant",
                                               "conditional_update,idempotent_order"}));
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_EQ(verdict(result, "conditional_update", "once"), "violated");
  EXPECT_EQ(verdict(result, "idempotent_order", "once"), "holds");
}

INSTANTIATE_TEST_SUITE_P(Engines, OrdersOnAnyEngine,
                         ::testing::Values("sqlite", "mariadb", "postgres"),
                         [](const auto& engine) { return std::string(engine.param); });

/// Every seed must tell the same story. LAB_SEEDS=20 is the full proof; the default is for every day, with few variants.
TEST_F(Orders, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  const char* wanted = std::getenv("LAB_SEEDS");
  const int seeds = wanted ? std::max(1, std::atoi(wanted)) : 1;
  const std::string backend = std::getenv("LAB_BACKEND") ? std::getenv("LAB_BACKEND") : "embedded";
  const std::string sql = std::getenv("LAB_SQL") ? std::getenv("LAB_SQL") : "mariadb";
  std::map<std::string, int> broke;
  for (int seed = 1; seed <= seeds; ++seed) {
    std::vector<std::string> flags{"--seed", std::to_string(seed), "--backend", backend, "--sql",
                                   sql,      "--rounds",           "0"};
    if (!wanted)
      flags.insert(
          flags.end(),
          {"--variant", "read_then_write,transaction_only,check_then_decrement,idempotent_order"});
    const json result = run_json(flags);
    for (const auto& variant : result["variants"]) {
      const std::string name = variant["name"];
      const bool must_break = std::string(variant["promise"]).starts_with("must_break");
      broke[name] += must_break && variant["as_promised"] == "holds" ? 1 : 0;
      EXPECT_NE(variant["as_promised"], "violated") << "seed " << seed << ": " << variant.dump(1);
    }
    EXPECT_EQ(variant(result, "idempotent_order")["as_promised"], "holds") << "seed " << seed;
  }
  for (const char* name : {"read_then_write", "transaction_only", "check_then_decrement"}) {
    EXPECT_GE(broke[name] * 20, seeds * 19)
        << name << " broke in " << broke[name] << " of " << seeds << " seeds";
    std::printf("%s broke in %d of %d seeds\n", name, broke[name], seeds);
  }
}

/// Starts the program and returns its pid.
pid_t start(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    (void)!freopen("/dev/null", "w", stdout);
    (void)!freopen("/dev/null", "w", stderr);
    execv(words[0], words.data());
    _exit(127);
  }
  return child;
}

template <class Condition>
bool eventually(Nanos limit, const Condition& condition) {
  for (const Instant end = now() + limit; now() < end; std::this_thread::sleep_for(5ms)) {
    if (condition()) return true;
  }
  return condition();
}

/// Clients of this program that are alive, whoever started them.
std::size_t clients_alive() {
  std::size_t count = 0;
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    count += line.find("order_transactions") != std::string::npos &&
                     line.find("--role=client") != std::string::npos
                 ? 1
                 : 0;
  }
  return count;
}

TEST_F(Orders, KillMinusNineOfTheRunLeavesNothingBehind) {
  Random random(::testing::UnitTest::GetInstance()->random_seed() + 7u);
  for (int round = 0; round < 3; ++round) {
    const pid_t pid = start(command({"--quiet", "--backend", "embedded"}));
    EXPECT_TRUE(eventually(30s, [] { return clients_alive() > 0; }));
    std::this_thread::sleep_for(
        std::chrono::milliseconds(random.below(300)));  // a random moment is the point
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    EXPECT_TRUE(
        eventually(5s, [&] { return clients_alive() == 0 && scratch_.servers_folders_gone(); }))
        << "round " << round;
  }
}

TEST_F(Orders, CtrlCEndsTheClientsToo) {
  const pid_t pid = start(command({"--quiet", "--backend", "embedded"}));
  EXPECT_TRUE(eventually(30s, [] { return clients_alive() > 0; }));
  kill(pid, SIGINT);
  int status = 0;
  waitpid(pid, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_TRUE(eventually(5s, [&] { return clients_alive() == 0; }));
  EXPECT_TRUE(scratch_.servers_folders_gone());
}

TEST_F(Orders, DescribesItself) {
  const auto output = run_program({kProgram, "--describe"}, 10s);
  const json description = json::parse(output->text, nullptr, false);
  EXPECT_EQ(description["name"], "order-transactions");
  EXPECT_EQ(description["variants"].size(), 8u);
  EXPECT_EQ(description["checks"].size(), 8u);
}

}  // namespace
}  // namespace lab
