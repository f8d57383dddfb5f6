// MariaDB and PostgreSQL, looked at with their own command-line clients.
#include <gtest/gtest.h>

#include "servers/files.h"
#include "support.h"

namespace lab::servers {
namespace {

using test::must;

struct Kind {
  const char* name;
  Installed (*find)();
  Result<std::unique_ptr<SqlServer>> (Supervisor::*make)(SqlServerOptions);
};

/// Runs statements with the server's own client; over TCP when told. What it prints, bare.
std::string query(const SqlServer& server, const std::string& statements, bool tcp = false,
                  const std::string& user = "lab") {
  const bool mariadb = server.kind() == "mariadb";
  const auto password = user == "lab" ? server.password() : "";
  const auto port = std::to_string(server.port());
  const std::string host = tcp ? "127.0.0.1" : "localhost";
  if (mariadb) {
    // A port on the command line would choose TCP, whatever else is said.
    const auto where = tcp ? "--port=" + port : "--socket=" + server.socket().string();
    return test::output_of({"mariadb", "--no-defaults", "--host=" + host, where, "--user=" + user,
                            "--skip-ssl", "--batch", "--skip-column-names",
                            "--execute=" + statements, user == "lab" ? server.database() : "mysql"},
                           {{"MYSQL_PWD", password}});
  }
  const auto where = tcp ? "127.0.0.1" : server.socket().string();
  return test::output_of({"psql", "--no-psqlrc", "-w", "-h", where, "-p", port, "-U", user, "-qAt",
                          "-c", statements, user == "lab" ? server.database() : "template1"},
                         {{"PGPASSWORD", password}});
}

class SqlServerTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { LAB_NEEDS(GetParam().find()); }
  Result<std::unique_ptr<SqlServer>> make(SqlServerOptions options = {}) {
    return (supervisor.*GetParam().make)(std::move(options));
  }
  std::string superuser() const {
    return GetParam().name == std::string("mariadb") ? "root" : "postgres";
  }
  Supervisor supervisor;
};

INSTANTIATE_TEST_SUITE_P(Kinds, SqlServerTest,
                         ::testing::Values(Kind{"mariadb", find_mariadb, &Supervisor::mariadb},
                                           Kind{"postgres", find_postgres, &Supervisor::postgres}),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(SqlServerTest, LetsItsUserInWithThePasswordOfThisRun) {
  const auto server = must(make({.tcp = true, .database = "shop"}));
  EXPECT_EQ(server->database(), "shop");
  EXPECT_EQ(server->version(), GetParam().find().version);
  EXPECT_EQ(query(*server, "SELECT 6*7"), "42\n");
  EXPECT_EQ(query(*server, "SELECT 6*7", true), "42\n");
  EXPECT_EQ(query(*server, "CREATE TABLE t (a INT PRIMARY KEY)"), "");
  const auto other = must(make());
  EXPECT_NE(other->password(), server->password());
}

TEST_P(SqlServerTest, RunsWithTheSettingsThatWereAskedFor) {
  const bool mariadb = GetParam().name == std::string("mariadb");
  SqlServerOptions options;
  options.settings = {mariadb ? "lock_wait_timeout=77" : "deadlock_timeout=77ms"};
  const auto server = must(make(options));
  EXPECT_EQ(query(*server, mariadb ? "SELECT @@lock_wait_timeout" : "SHOW deadlock_timeout"),
            mariadb ? "77\n" : "77ms\n");
}

TEST_P(SqlServerTest, LetsNobodyElseIn) {
  const auto server = must(make({.tcp = true}));
  for (const bool tcp : {false, true}) {
    for (const auto& user : {superuser(), std::string("somebody")}) {
      const auto output = query(*server, "SELECT 6*7", tcp, user);
      const bool turned_away = output.find("Access denied") != std::string::npos ||
                               output.find("no password supplied") != std::string::npos;
      EXPECT_TRUE(turned_away) << user << ": " << output;
    }
  }
}

TEST_P(SqlServerTest, KeepsAcknowledgedWritesOverKillsAndStartsAtTheFirstTry) {
  const auto server = must(make({.tcp = true}));
  EXPECT_EQ(query(*server, "CREATE TABLE t (a INT PRIMARY KEY)"), "");
  for (int round = 1; round <= 3; ++round) {
    EXPECT_EQ(query(*server, "INSERT INTO t VALUES (" + std::to_string(round) + ")"), "");
    const auto down = must(server->restart());
    EXPECT_GT(down, Nanos{0});
    EXPECT_EQ(query(*server, "SELECT COUNT(*) FROM t"), std::to_string(round) + "\n");
  }
}

TEST_P(SqlServerTest, RestartsWithAConnectionBusy) {
  const auto server = must(make());
  const std::string sleep =
      GetParam().name == std::string("mariadb") ? "SELECT SLEEP(60)" : "SELECT pg_sleep(60)";
  std::thread busy([&] { query(*server, sleep); });
  const std::string activity = GetParam().name == std::string("mariadb")
                                   ? "SELECT COUNT(*) FROM information_schema.processlist WHERE "
                                     "info LIKE 'SELECT SLEEP%'"
                                   : "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE "
                                     "'SELECT pg_sleep%'";
  EXPECT_TRUE(test::eventually(10s, [&] { return query(*server, activity) == "1\n"; }));
  const auto restarted = server->restart();
  busy.join();
  ASSERT_TRUE(restarted) << describe(restarted.error());
  EXPECT_EQ(query(*server, "SELECT 6*7"), "42\n");
}

TEST_P(SqlServerTest, PausedItsOpenConnectionsAreFrozenToo) {
  const auto server = must(make());
  const std::string work = GetParam().name == std::string("mariadb") ? "SELECT SLEEP(0.2), 42"
                                                                     : "SELECT pg_sleep(0.2), 42";
  std::atomic<bool> answered{false};
  std::thread client([&] {
    query(*server, work);
    answered = true;
  });
  // The client is somewhere between its start and its answer; paused, it can get no further.
  must(server->pause());
  std::this_thread::sleep_for(400ms);
  EXPECT_FALSE(answered);
  must(server->resume());
  client.join();
  EXPECT_EQ(query(*server, "SELECT 6*7"), "42\n");
}

TEST_P(SqlServerTest, KillingLeavesNoProcessOfTheTree) {
  const auto server = must(make());
  const auto tree = test::descendants_of(test::child_of(::getpid()));
  EXPECT_FALSE(tree.empty());
  must(server->kill());
  EXPECT_TRUE(test::descendants_of(test::child_of(::getpid())).empty());
  EXPECT_EQ(server->pid(), 0);
}

TEST_P(SqlServerTest, ThePasswordIsOnNoCommandLineAndInNoFile) {
  const auto server = must(make({.tcp = true}));
  ASSERT_GE(server->password().size(), 32u);
  EXPECT_TRUE(test::command_lines_with(server->password()).empty());
  const auto found = test::output_of(
      {"grep", "--recursive", "--files-with-matches", server->password(), server->folder()});
  EXPECT_EQ(found, "");
}

TEST_P(SqlServerTest, ListensOnTheLoopbackAddressOnly) {
  const auto server = must(make({.tcp = true}));
  auto tree = test::descendants_of(test::child_of(::getpid()));
  EXPECT_EQ(test::listening_addresses(tree), std::vector<std::string>{"127.0.0.1"});
}

TEST_P(SqlServerTest, AnotherDatabaseNameMustBeHarmless) {
  const auto server = make({.database = "x; DROP DATABASE mysql"});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace lab::servers
