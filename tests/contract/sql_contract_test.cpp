// What every database must do behind the same interface: SQLite, MariaDB and PostgreSQL.
#include <atomic>
#include <future>
#include <limits>
#include <set>
#include <thread>

#include "domain/seed.h"
#include "infra/migrate.h"
#include "infra/product_repository.h"
#include "sql_support.h"

namespace lab::infra {
namespace {

using domain::ProductId;
using lab::test::must;
using test::count;
using test::Database;

constexpr auto null = std::monostate{};

class SqlContract : public test::SqlTest {};

INSTANTIATE_TEST_SUITE_P(All, SqlContract, test::every_engine(), test::engine_of);

TEST_P(SqlContract, ValuesComeBackAsTheyWent) {
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  const std::int64_t small = std::numeric_limits<std::int64_t>::min();
  const std::vector<SqlRow> rows{
      {std::int64_t{1}, big, 0.1, std::string("it's \"quoted\" ? `so` \\ $1")},
      {std::int64_t{2}, small, 1.0 / 3, std::string("größer 日本 🙂")},
      {std::int64_t{3}, null, null, null},
      {std::int64_t{4}, std::int64_t{0}, 1e300, std::string()},
      {std::int64_t{5}, std::int64_t{-1}, -2.5, std::string(200, 'x')},
  };
  for (const SqlRow& row : rows) {
    EXPECT_EQ(must(sql_->run("INSERT INTO t (id, n, d, s) VALUES (?, ?, ?, ?)",
                             {row[0], row[1], row[2], row[3]}))
                  .affected,
              1);
  }
  EXPECT_EQ(must(sql_->run("SELECT id, n, d, s FROM t ORDER BY id")).rows, rows);
  EXPECT_EQ(must(sql_->run("SELECT id FROM t WHERE s = ?", {rows[0][3]})).rows,
            (std::vector<SqlRow>{{std::int64_t{1}}}));
  EXPECT_TRUE(must(sql_->run("SELECT id FROM t WHERE s = ?", {null})).rows.empty())
      << "nothing equals NULL";
}

TEST_P(SqlContract, AggregatesAreNumbers) {
  for (std::int64_t id = 1; id <= 4; ++id) must(insert(id, id * 10));
  const SqlRow row =
      must(sql_->run("SELECT COUNT(*), SUM(n), MAX(n), SUM(n) * 0.5, AVG(d) FROM t")).rows.at(0);
  EXPECT_EQ(row[0], SqlValue(std::int64_t{4}));
  EXPECT_EQ(row[1], SqlValue(std::int64_t{100}));
  EXPECT_EQ(row[2], SqlValue(std::int64_t{40}));
  EXPECT_DOUBLE_EQ(as_double(row[3]), 50);
  EXPECT_EQ(row[4], SqlValue(null));
  EXPECT_EQ(must(sql_->run("SELECT SUM(n) FROM t WHERE id > 99")).rows.at(0).at(0), SqlValue(null));
}

TEST_P(SqlContract, AStatementIsReusedWithOtherValuesAndTypes) {
  for (std::int64_t id = 1; id <= 50; ++id) {
    const SqlValue n = id % 3 == 0 ? SqlValue(null) : SqlValue(id);
    const SqlValue s =
        id % 2 == 0 ? SqlValue(null) : SqlValue(std::string(static_cast<std::size_t>(id), 's'));
    must(sql_->run("INSERT INTO t (id, n, s) VALUES (?, ?, ?)", {id, n, s}));
    const SqlRow row = must(sql_->run("SELECT n, s FROM t WHERE id = ?", {id})).rows.at(0);
    EXPECT_EQ(row[0], n);
    EXPECT_EQ(row[1], s);
  }
  EXPECT_EQ(rows(), 50);
}

TEST_P(SqlContract, AffectedCountsTheRowsThatMatched) {
  for (std::int64_t id = 1; id <= 5; ++id) must(insert(id, 0));
  constexpr auto update = "UPDATE t SET n = ? WHERE id > ?";
  EXPECT_EQ(must(sql_->run(update, {std::int64_t{7}, std::int64_t{2}})).affected, 3);
  EXPECT_EQ(must(sql_->run(update, {std::int64_t{7}, std::int64_t{2}})).affected, 3)
      << "also when nothing changes";
  EXPECT_EQ(must(sql_->run(update, {std::int64_t{7}, std::int64_t{9}})).affected, 0);
  EXPECT_EQ(must(sql_->run("DELETE FROM t WHERE id <= ?", {std::int64_t{2}})).affected, 2);
  EXPECT_EQ(must(sql_->run("SELECT id FROM t")).affected, 0);
}

TEST_P(SqlContract, ADuplicateKeyIsAConflict) {
  must(insert(1, 1));
  const auto again = insert(1, 2);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_EQ(again.error().happened, Happened::no);
  const std::map<SqlEngine, std::string> codes{
      {SqlEngine::sqlite, "1555"}, {SqlEngine::mariadb, "1062"}, {SqlEngine::postgres, "23505"}};
  EXPECT_EQ(again.error().native_code, codes.at(GetParam()));
  EXPECT_EQ(rows(), 1);
}

TEST_P(SqlContract, BadSqlIsInvalidAndTheConnectionGoesOn) {
  const auto connection = must(sql_->acquire());
  for (const char* statement :
       {"SELEC 1", "SELECT * FROM no_such_table", "SELECT no_such_column FROM t",
        "INSERT INTO t (id) VALUES (NULL)", ""}) {
    const auto result = connection->run(statement);
    ASSERT_FALSE(result) << statement;
    EXPECT_EQ(result.error().code, ErrorCode::invalid)
        << statement << ": " << describe(result.error());
    EXPECT_EQ(result.error().happened, Happened::no);
    EXPECT_FALSE(result.error().message.empty());
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
    EXPECT_EQ(count(connection->run("SELECT COUNT(*) FROM t")), 0);
  }
}

TEST_P(SqlContract, AWrongNumberOfValuesIsInvalid) {
  const auto connection = must(sql_->acquire());
  EXPECT_EQ(connection->run("SELECT id FROM t WHERE id = ?").error().code, ErrorCode::invalid);
  must(connection->run("SELECT id FROM t WHERE id = ?", {std::int64_t{1}}));
  EXPECT_EQ(connection->run("SELECT id FROM t WHERE id = ?", {std::int64_t{1}, std::int64_t{2}})
                .error()
                .code,
            ErrorCode::invalid);
  EXPECT_EQ(connection->run("SELECT id FROM t WHERE id = ?").error().code, ErrorCode::invalid);
  EXPECT_TRUE(
      must(connection->run("SELECT id FROM t WHERE id = ?", {std::int64_t{1}})).rows.empty());
}

TEST_P(SqlContract, ATableThatChangedIsSeenByOldStatements) {
  must(insert(1, 5));
  const auto connection = must(sql_->acquire());
  EXPECT_EQ(must(connection->run("SELECT * FROM t")).rows.at(0).size(), 4u);
  must(connection->run("ALTER TABLE t ADD COLUMN extra BIGINT"));
  auto result = connection->run("SELECT * FROM t");
  // PostgreSQL tells once that its plan is out of date; the next run has a new one.
  if (!result) result = connection->run("SELECT * FROM t");
  EXPECT_EQ(must(result).rows.at(0).size(), 5u);
}

TEST_P(SqlContract, ATransactionIsAllOrNothing) {
  EXPECT_TRUE(sql_->transaction([&](SqlConnection& connection) -> Result<void> {
    must(insert(connection, 1, 1));
    must(insert(connection, 2, 2));
    return {};
  }));
  EXPECT_EQ(rows(), 2);
  const auto failed = sql_->transaction([&](SqlConnection& connection) -> Result<void> {
    must(insert(connection, 3, 3));
    return Error{ErrorCode::not_found, Happened::no, "changed my mind"};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "changed my mind");
  EXPECT_EQ(rows(), 2);
  EXPECT_THROW((void)sql_->transaction([&](SqlConnection& connection) -> Result<void> {
    must(insert(connection, 3, 3));
    throw std::runtime_error("out of here");
  }),
               std::runtime_error);
  EXPECT_EQ(rows(), 2);
}

TEST_P(SqlContract, ALentConnectionComesBackWithoutItsTransaction) {
  {
    const auto connection = must(sql_->acquire());
    must(connection->begin());
    must(insert(*connection, 1, 1));
  }
  EXPECT_EQ(rows(), 0);
  must(insert(1, 1));
  EXPECT_EQ(rows(), 1);
}

TEST_P(SqlContract, StepsOutOfOrderAreInvalid) {
  const auto connection = must(sql_->acquire());
  EXPECT_EQ(connection->commit().error().code, ErrorCode::invalid);
  EXPECT_EQ(connection->rollback().error().code, ErrorCode::invalid);
  must(connection->begin());
  EXPECT_EQ(connection->begin().error().code, ErrorCode::invalid);
  must(connection->rollback());
  EXPECT_EQ(connection->engine(), GetParam());
  EXPECT_EQ(sql_->engine(), GetParam());
}

TEST_P(SqlContract, NobodySeesATransactionBeforeItsCommit) {
  const auto writer = must(sql_->acquire());
  must(writer->begin());
  must(insert(*writer, 1, 1));
  EXPECT_EQ(rows(), 0);
  must(writer->commit());
  EXPECT_EQ(rows(), 1);
}

TEST_P(SqlContract, ACommitAfterAFailedStatementNeverLies) {
  must(insert(1, 1));
  const auto connection = must(sql_->acquire());
  must(connection->begin());
  must(insert(*connection, 2, 2));
  EXPECT_FALSE(insert(*connection, 1, 1));
  // PostgreSQL has ended the transaction: COMMIT would say yes and roll back.
  const auto committed = connection->commit();
  if (committed) {
    EXPECT_EQ(rows(), 2);
  } else {
    EXPECT_EQ(committed.error().code, ErrorCode::conflict);
    EXPECT_EQ(connection->run("SELECT 1").error().code, ErrorCode::conflict);
    must(connection->rollback());
    EXPECT_EQ(rows(), 1);
  }
  EXPECT_TRUE(connection->run("SELECT 1"));
}

TEST_P(SqlContract, ADeadlockIsAConflictForOneAndNotForTheOther) {
  must(insert(1, 0));
  must(insert(2, 0));
  // SQLite lets one writer in at a time, so there both go through.
  std::atomic<int> holding{0};
  const auto swap = [&](std::int64_t first, std::int64_t second) {
    return sql_->transaction([&](SqlConnection& connection) -> Result<void> {
      constexpr auto update = "UPDATE t SET n = n + 1 WHERE id = ?";
      if (auto updated = connection.run(update, {first}); !updated) return updated.error();
      ++holding;
      if (GetParam() != SqlEngine::sqlite) lab::test::eventually(10s, [&] { return holding == 2; });
      if (auto updated = connection.run(update, {second}); !updated) return updated.error();
      return {};
    });
  };
  auto other = std::async(std::launch::async, [&] { return swap(2, 1); });
  const auto mine = swap(1, 2);
  const auto theirs = other.get();
  const int conflicts = (mine ? 0 : 1) + (theirs ? 0 : 1);
  EXPECT_EQ(conflicts, GetParam() == SqlEngine::sqlite ? 0 : 1);
  for (const auto* result : {&mine, &theirs}) {
    if (*result) continue;
    EXPECT_EQ(result->error().code, ErrorCode::conflict);
    EXPECT_EQ(result->error().native_code, GetParam() == SqlEngine::mariadb ? "1213" : "40P01");
  }
  EXPECT_EQ(count(sql_->run("SELECT SUM(n) FROM t")), GetParam() == SqlEngine::sqlite ? 4 : 2);
}

TEST_P(SqlContract, ThreadsShareThePoolAndNoUpdateIsLost) {
  must(insert(1, 0));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        const auto done = sql_->transaction([](SqlConnection& connection) -> Result<void> {
          if (auto updated = connection.run("UPDATE t SET n = n + 1 WHERE id = 1"); !updated)
            return updated.error();
          if (auto read = connection.run("SELECT n FROM t WHERE id = 1"); !read)
            return read.error();
          return {};
        });
        EXPECT_TRUE(done) << describe(done.error());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count(sql_->run("SELECT n FROM t WHERE id = 1")), 200);
}

TEST_P(SqlContract, AnExhaustedPoolSaysSo) {
  SqlOptions options;
  options.connections = 2;
  options.acquire_timeout = 40ms;
  const auto small = connect_sql(Database::of(GetParam()).address(), options);
  auto first = must(small->acquire());
  const auto second = must(small->acquire());
  const Instant start = now();
  const auto third = small->acquire();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::exhausted);
  EXPECT_EQ(third.error().happened, Happened::no);
  EXPECT_GE(now() - start, 39ms);
  EXPECT_EQ(small->run("SELECT 1").error().code, ErrorCode::exhausted);
  first.reset();
  EXPECT_TRUE(small->run("SELECT 1"));
}

TEST_P(SqlContract, AConnectionOutlivesItsPool) {
  auto pool = connect_sql(Database::of(GetParam()).address());
  auto connection = must(pool->acquire());
  pool.reset();
  EXPECT_TRUE(connection->run("SELECT 1"));
}

class Migrations : public SqlContract {
 protected:
  // Names of our own, so that each test begins with an empty schema.
  static constexpr domain::Migration first{
      1, "first", "CREATE TABLE t2 (a BIGINT NOT NULL PRIMARY KEY); -- x;y\n"};
  static constexpr domain::Migration second{
      2, "second", "INSERT INTO t2 (a) VALUES (1);\nINSERT INTO t2 (a) VALUES (2);"};
  static constexpr domain::Migration broken{
      3, "broken", "INSERT INTO t2 (a) VALUES (3); INSERT INTO t2 (a) VALUES (1);"};

  void SetUp() override {
    SqlContract::SetUp();
    if (sql_) must(sql_->run("DROP TABLE IF EXISTS t2"));
  }
};

INSTANTIATE_TEST_SUITE_P(All, Migrations, test::every_engine(), test::engine_of);

TEST_P(Migrations, TheProgramsOwnRunOnEveryEngineTwice) {
  must(migrate(*sql_, domain::migrations()));
  must(migrate(*sql_, domain::migrations()));
  EXPECT_EQ(count(sql_->run("SELECT COUNT(*) FROM schema_version WHERE finished = 1")),
            static_cast<std::int64_t>(domain::migrations().size()));
  must(sql_->run("INSERT INTO users (id, email, name) VALUES (1, 'a@b.de', 'A')"));
  must(sql_->run(
      "INSERT INTO products (id, name, price_cents, stock, version) VALUES (1, 'lamp', 5, 1, 1)"));
  must(
      sql_->run("INSERT INTO orders (id, user_id, state, total_cents) VALUES (1, 1, 'placed', 5)"));
  must(
      sql_->run("INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) VALUES "
                "(1, 1, 1, 5)"));
  constexpr auto pay =
      "INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) VALUES (?, 1, 5, "
      "?, 'pending')";
  must(sql_->run(pay, {std::int64_t{1}, std::string("order-1-pay")}));
  EXPECT_EQ(sql_->run(pay, {std::int64_t{2}, std::string("order-1-pay")}).error().code,
            ErrorCode::conflict);
  // What the schema refuses everywhere.
  for (const char* bad :
       {"INSERT INTO orders (id, user_id, state, total_cents) VALUES (2, 99, 'placed', 5)",
        "INSERT INTO orders (id, user_id, state, total_cents) VALUES (2, 1, 'lost', 5)",
        "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) VALUES (1, 1, "
        "0, 5)"}) {
    EXPECT_FALSE(sql_->run(bad)) << bad;
  }
}

TEST_P(Migrations, OnlyWhatIsMissingIsApplied) {
  must(migrate(*sql_, std::vector{first}));
  must(migrate(*sql_, std::vector{first, second}));
  must(migrate(*sql_, std::vector{first, second}));
  EXPECT_EQ(count(sql_->run("SELECT COUNT(*) FROM t2")), 2);
}

TEST_P(Migrations, ADatabaseFromTheFutureIsRefused) {
  must(migrate(*sql_, std::vector{first, second}));
  const auto refused = migrate(*sql_, std::vector{first});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_NE(refused.error().message.find("schema version 2"), std::string::npos);
}

TEST_P(Migrations, ABrokenOneLeavesNothingBehind) {
  const auto failed = migrate(*sql_, std::vector{first, second, broken});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("migration 3 (broken)"), std::string::npos)
      << failed.error().message;
  EXPECT_EQ(count(sql_->run("SELECT COUNT(*) FROM t2")), 2);
  must(migrate(*sql_, std::vector{first, second}));
}

TEST_P(Migrations, OneThatCommittedHalfWayIsReported) {
  // Only an engine that commits with each CREATE can get here.
  const domain::Migration torn{2, "torn", "CREATE TABLE t (id BIGINT);"};  // t is there already
  must(migrate(*sql_, std::vector{first}));
  EXPECT_FALSE(migrate(*sql_, std::vector{first, torn}));
  const auto again = migrate(*sql_, std::vector{first, second});
  if (GetParam() == SqlEngine::mariadb) {
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::conflict);
    EXPECT_NE(again.error().message.find("broke half-way"), std::string::npos);
  } else {
    EXPECT_TRUE(again);
  }
}

class Products : public SqlContract {
 protected:
  void SetUp() override {
    SqlContract::SetUp();
    if (!sql_) return;
    must(migrate(*sql_, domain::migrations()));
    repository_ = std::make_unique<SqlProductRepository>(*sql_);
    must(repository_->insert(seeded_));
  }
  const std::vector<domain::StockedProduct> seeded_ = domain::seed_products(250, 1);
  std::unique_ptr<SqlProductRepository> repository_;
};

INSTANTIATE_TEST_SUITE_P(All, Products, test::every_engine(), test::engine_of);

TEST_P(Products, AreFoundAsTheyWereInserted) {
  const auto all = must(repository_->find_all());
  ASSERT_EQ(all.size(), seeded_.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], seeded_[i].product);
  EXPECT_EQ(must(repository_->find(ProductId{250})), seeded_.back().product);
  EXPECT_EQ(repository_->find(ProductId{251}).error().code, ErrorCode::not_found);
  EXPECT_EQ(count(sql_->run("SELECT stock FROM products WHERE id = 3")), seeded_[2].stock);
}

TEST_P(Products, AreInsertedAllOrNone) {
  auto more = domain::seed_products(500, 1);
  more.erase(more.begin(), more.begin() + 249);  // the first one is there already
  const auto failed = repository_->insert(more);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::conflict);
  EXPECT_EQ(must(repository_->find_all()).size(), 250u);
  EXPECT_TRUE(repository_->insert({}));
}

TEST_P(Products, EveryPriceChangeHasItsOwnVersion) {
  EXPECT_EQ(must(repository_->update_price(ProductId{7}, Cents{1})), 2);
  EXPECT_EQ(must(repository_->update_price(ProductId{7}, Cents{1})), 3)
      << "the same price is a change too";
  const auto product = must(repository_->find(ProductId{7}));
  EXPECT_EQ(product.price, Cents{1});
  EXPECT_EQ(product.version, 3);
  EXPECT_EQ(repository_->update_price(ProductId{999}, Cents{1}).error().code, ErrorCode::not_found);
}

TEST_P(Products, ChangesAtTheSameTimeGetDifferentVersions) {
  std::mutex mutex;
  std::set<std::int64_t> versions;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const auto version = repository_->update_price(ProductId{7}, Cents{t * 100 + i});
        ASSERT_TRUE(version) << describe(version.error());
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(versions.insert(*version).second);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(*versions.begin(), 2);
  EXPECT_EQ(*versions.rbegin(), 41);
}

}  // namespace
}  // namespace lab::infra
