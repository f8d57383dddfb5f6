// Databases that die, freeze, or never were.
#include <future>
#include <thread>

#include "sql_support.h"

namespace lab::infra {
namespace {

using lab::test::eventually;
using lab::test::must;
using test::Database;

class SqlFaults : public ::testing::TestWithParam<SqlEngine> {
 protected:
  void SetUp() override {
    LAB_NEEDS(test::needed_for(GetParam()));
    database_ = &Database::of(GetParam());
    must(database_->server()->start());
    sql_ = connect_sql(database_->address());
    must(sql_->run("DROP TABLE IF EXISTS t"));
    must(sql_->run("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY)"));
  }
  void TearDown() override {
    if (database_) must(database_->server()->start());
  }
  servers::SqlServer& server() { return *database_->server(); }

  Database* database_ = nullptr;
  std::unique_ptr<Sql> sql_;
};

INSTANTIATE_TEST_SUITE_P(Servers, SqlFaults,
                         ::testing::Values(SqlEngine::mariadb, SqlEngine::postgres),
                         [](const auto& chosen) { return std::string(name(chosen.param)); });

TEST_P(SqlFaults, ADeadServerRefusesAndComesBack) {
  {
    // Several idle connections, all of which die.
    const auto a = must(sql_->acquire());
    const auto b = must(sql_->acquire());
    for (const auto& connection : {a.get(), b.get()}) must(connection->run("SELECT id FROM t"));
  }
  must(server().kill());
  const auto broken = sql_->run("SELECT id FROM t");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::closed) << describe(broken.error());
  EXPECT_EQ(broken.error().happened, Happened::unknown);
  const auto refused = sql_->run("SELECT id FROM t");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused) << describe(refused.error());
  EXPECT_EQ(refused.error().happened, Happened::no);
  must(server().start());
  EXPECT_TRUE(sql_->run("SELECT id FROM t"));
}

TEST_P(SqlFaults, ATransactionDiesWithItsConnection) {
  const auto connection = must(sql_->acquire());
  must(connection->begin());
  must(connection->run("INSERT INTO t (id) VALUES (1)"));
  must(server().kill());
  const auto lost = connection->run("INSERT INTO t (id) VALUES (2)");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::closed);
  EXPECT_FALSE(connection->commit());
  EXPECT_EQ(connection->run("SELECT 1").error().code, ErrorCode::closed);
  must(server().start());
  EXPECT_EQ(must(sql_->run("SELECT COUNT(*) FROM t")).rows[0][0], SqlValue(std::int64_t{0}));
}

TEST_P(SqlFaults, ACommitOnADeadConnectionMayHaveHappened) {
  const auto connection = must(sql_->acquire());
  must(connection->begin());
  must(connection->commit());  // from now on COMMIT is prepared, and goes out at once
  must(connection->begin());
  must(connection->run("INSERT INTO t (id) VALUES (1)"));
  must(server().kill());
  const auto committed = connection->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::closed) << describe(committed.error());
  EXPECT_EQ(committed.error().happened, Happened::unknown);
}

TEST_P(SqlFaults, AFrozenServerTimesOutWhileConnecting) {
  SqlOptions options;
  options.connect_timeout = 1000ms;
  const auto fresh = connect_sql(database_->address(), options);
  must(server().pause());
  const Instant start = now();
  const auto connection = fresh->acquire();
  const Nanos waited = now() - start;
  must(server().resume());
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::timeout) << describe(connection.error());
  EXPECT_EQ(connection.error().happened, Happened::no);
  EXPECT_GE(waited, 900ms);
  EXPECT_LT(waited, 8s);
  EXPECT_TRUE(fresh->run("SELECT 1"));
}

TEST_P(SqlFaults, AStatementWaitsForAFrozenServer) {
  must(sql_->run("SELECT COUNT(*) FROM t"));
  must(server().pause());
  auto answer = std::async(std::launch::async, [&] { return sql_->run("SELECT COUNT(*) FROM t"); });
  EXPECT_EQ(answer.wait_for(150ms), std::future_status::timeout);
  must(server().resume());
  EXPECT_TRUE(answer.get());
}

TEST_P(SqlFaults, AWrongPasswordIsRefusedAndNotShown) {
  SqlAddress address = database_->address();
  if (address.password.empty()) GTEST_SKIP() << "this server knows no password";
  address.password = "hunter2";
  const auto connection = connect_sql(address)->acquire();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::refused) << describe(connection.error());
  EXPECT_EQ(connection.error().message.find("hunter2"), std::string::npos);
  EXPECT_EQ(connection.error().message.find('\n'), std::string::npos);
}

TEST_P(SqlFaults, KillsUnderLoadLoseNoAcknowledgedInsert) {
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> next{1};
  std::atomic<std::int64_t> acknowledged{0}, unknown{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto done = sql_->run("INSERT INTO t (id) VALUES (?)", {next++});
        if (done) {
          ++acknowledged;
        } else if (done.error().happened == Happened::unknown) {
          ++unknown;
        } else {
          // Not connected, or the connection broke before the statement itself went out.
          EXPECT_TRUE(done.error().code == ErrorCode::refused ||
                      done.error().code == ErrorCode::closed)
              << describe(done.error());
          sleep_for(1ms);
        }
      }
    });
  }
  for (int round = 0; round < 2; ++round) {
    const auto before = acknowledged.load();
    EXPECT_TRUE(eventually(20s, [&] { return acknowledged > before + 20; }));
    must(server().kill());
    must(server().start());
  }
  EXPECT_TRUE(
      eventually(20s, [&, before = acknowledged.load()] { return acknowledged > before + 5; }));
  stop = true;
  for (auto& thread : threads) thread.join();
  const auto rows = as_integer(must(sql_->run("SELECT COUNT(*) FROM t")).rows[0][0]);
  EXPECT_GE(rows, acknowledged);
  EXPECT_LE(rows, acknowledged + unknown);
}

TEST(MariadbFaults, APasswordThatPocosConnectionTextCannotCarryIsInvalid) {
  SqlAddress address;
  address.engine = SqlEngine::mariadb;
  address.user = "lab";
  address.password = "semi;colon";
  const auto connection = connect_sql(address)->acquire();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::invalid);
  EXPECT_EQ(connection.error().message.find("semi;colon"), std::string::npos);
}

TEST(SqliteFaults, AFolderThatIsNotThereIsRefused) {
  SqlAddress address;
  address.path = "/no/such/folder/lab.db";
  const auto connection = connect_sql(address)->acquire();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::refused) << describe(connection.error());
  EXPECT_NE(connection.error().message.find("/no/such/folder"), std::string::npos);
}

TEST(SqliteFaults, AFileThatIsNoDatabaseIsRefused) {
  const lab::test::TestFolder folder;
  SqlAddress address;
  address.path = (folder.path() / "lab.db").string();
  std::FILE* file = std::fopen(address.path.c_str(), "w");
  std::fputs("this is not a database, it only looks like a file of some length", file);
  std::fclose(file);
  const auto connection = connect_sql(address)->acquire();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::refused) << describe(connection.error());
}

TEST(SqlFaultsNoServer, NobodyThereIsRefused) {
  for (const SqlEngine engine : {SqlEngine::mariadb, SqlEngine::postgres}) {
    SqlAddress address;
    address.engine = engine;
    address.user = "lab";
    address.password = "hunter2";
    address.database = "lab";
    address.port = 1;
    const auto by_port = connect_sql(address)->acquire();
    ASSERT_FALSE(by_port);
    EXPECT_EQ(by_port.error().code, ErrorCode::refused) << describe(by_port.error());
    EXPECT_EQ(by_port.error().happened, Happened::no);
    EXPECT_EQ(by_port.error().message.find("hunter2"), std::string::npos);
    address.unix_socket = "/tmp/there-is-no-such-socket";
    EXPECT_EQ(connect_sql(address)->acquire().error().code, ErrorCode::refused);
  }
}

}  // namespace
}  // namespace lab::infra
