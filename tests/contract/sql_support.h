#pragma once
// The databases under test, and the fixture of what all of them must do.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "infra/sql.h"
#include "support.h"

namespace lab::infra::test {

/// One database for the whole program, made when first asked for.
class Database {
 public:
  /// Throws when it cannot be started.
  static Database& of(SqlEngine engine);

  const SqlAddress& address() const { return address_; }
  /// nullptr for SQLite.
  servers::SqlServer* server() { return server_.get(); }

  explicit Database(SqlEngine engine);

 private:
  std::optional<lab::test::TestFolder> folder_;
  std::unique_ptr<servers::SqlServer> server_;
  SqlAddress address_;
};

/// What must be installed for this engine; SQLite is always there.
servers::Installed needed_for(SqlEngine engine);

/// The one number that a query gives.
std::int64_t count(const Result<SqlResult>& result);

/// A database without the program's tables, and an empty table t (id, n, d, s).
class SqlTest : public ::testing::TestWithParam<SqlEngine> {
 protected:
  void SetUp() override;

  static Result<SqlResult> insert(SqlConnection& connection, std::int64_t id, std::int64_t n);
  Result<SqlResult> insert(std::int64_t id, std::int64_t n);
  std::int64_t rows();  // of t

  std::unique_ptr<Sql> sql_;  // nullptr when the test is skipped
};

inline auto every_engine() {
  return ::testing::Values(SqlEngine::sqlite, SqlEngine::mariadb, SqlEngine::postgres);
}
inline std::string engine_of(const ::testing::TestParamInfo<SqlEngine>& chosen) {
  return std::string(name(chosen.param));
}

}  // namespace lab::infra::test
