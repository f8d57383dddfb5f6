// Several statements in one round trip: what Sql::run_at_once() must do on every database.
#include "sql_support.h"

namespace lab::infra {
namespace {

using lab::test::must;
using test::count;

class SqlAtOnce : public test::SqlTest {};

INSTANTIATE_TEST_SUITE_P(All, SqlAtOnce, test::every_engine(), test::engine_of);

constexpr auto kInsert = "INSERT INTO t (id, n) VALUES (?, ?)";
constexpr auto kRaise = "UPDATE t SET n = n + ? WHERE id = ? AND n >= ?";

SqlStatement insertion(std::int64_t id, std::int64_t n) {
  return {kInsert, {id, n}};
}
SqlStatement raise(std::int64_t by, std::int64_t id, std::int64_t from) {
  return {kRaise, {by, id, from}};
}

TEST_P(SqlAtOnce, MeansAll) {
  must(insert(1, 10));
  for (std::int64_t id = 2; id <= 4; ++id)
    EXPECT_TRUE(must(sql_->run_at_once({insertion(id, 0), raise(1, 1, 0)})));
  EXPECT_EQ(rows(), 4);
  EXPECT_EQ(count(sql_->run("SELECT n FROM t WHERE id = 1")), 13);
}

TEST_P(SqlAtOnce, MeansNothingWhenAStatementFindsNoRow) {
  must(insert(1, 10));
  EXPECT_FALSE(must(sql_->run_at_once({insertion(2, 0), raise(1, 1, 11), insertion(3, 0)})));
  EXPECT_FALSE(must(sql_->run_at_once({insertion(2, 0), insertion(3, 0), raise(1, 9, 0)})));
  EXPECT_EQ(rows(), 1);
  EXPECT_TRUE(must(sql_->run_at_once({insertion(2, 0), raise(1, 1, 10), insertion(3, 0)})));
  EXPECT_EQ(rows(), 3);
}

TEST_P(SqlAtOnce, MeansNothingAfterAnErrorAndTheConnectionGoesOn) {
  must(insert(1, 10));
  const auto connection = must(sql_->acquire());
  const std::vector<SqlStatement> duplicate{insertion(2, 0), raise(1, 1, 0), insertion(1, 0)};
  for (int i = 0; i < 3; ++i) {
    const auto refused = connection->run_at_once(duplicate);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
    EXPECT_EQ(refused.error().happened, Happened::no);
  }
  EXPECT_EQ(must(connection->run("SELECT n FROM t")).rows.at(0).at(0), SqlValue(std::int64_t{10}));
  EXPECT_EQ(rows(), 1);  // seen by another connection
  must(insert(*connection, 5, 0));
  EXPECT_EQ(rows(), 2) << "no transaction was left open";
}

TEST_P(SqlAtOnce, IsATransactionOfItsOwn) {
  const auto connection = must(sql_->acquire());
  must(connection->begin());
  const std::vector<SqlStatement> one{insertion(1, 0)};
  EXPECT_EQ(connection->run_at_once(one).error().code, ErrorCode::invalid);
  must(connection->rollback());
  EXPECT_TRUE(must(connection->run_at_once(one)));
}

}  // namespace
}  // namespace lab::infra
