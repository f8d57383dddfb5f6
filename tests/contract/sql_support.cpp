#include "sql_support.h"

#include <fmt/format.h>

#include <map>

namespace lab::infra::test {

using lab::test::must;
using lab::test::supervisor;

Database::Database(SqlEngine engine) {
  address_.engine = engine;
  if (engine == SqlEngine::sqlite) {
    folder_.emplace();
    address_.path = (folder_->path() / "lab.db").string();
    return;
  }
  server_ = must(engine == SqlEngine::mariadb ? supervisor().mariadb() : supervisor().postgres());
  address_.unix_socket = server_->socket().string();
  address_.port = server_->port();
  address_.user = server_->user();
  address_.password = server_->password();
  address_.database = server_->database();
}

Database& Database::of(SqlEngine engine) {
  (void)supervisor();  // made first, so that it goes last
  static std::map<SqlEngine, std::unique_ptr<Database>> databases;
  auto& database = databases[engine];
  if (!database) database = std::make_unique<Database>(engine);
  return *database;
}

servers::Installed needed_for(SqlEngine engine) {
  switch (engine) {
    case SqlEngine::mariadb: return servers::find_mariadb();
    case SqlEngine::postgres: return servers::find_postgres();
    case SqlEngine::sqlite: break;
  }
  return {.kind = "sqlite", .program = "built in", .version = "", .how_to_get = ""};
}

std::int64_t count(const Result<SqlResult>& result) {
  return as_integer(must(result).rows.at(0).at(0));
}

void SqlTest::SetUp() {
  LAB_NEEDS(needed_for(GetParam()));
  sql_ = connect_sql(Database::of(GetParam()).address());
  // Referring tables first.
  for (const char* table : {"outbox", "idempotency_keys", "payments", "order_lines", "orders",
                            "products", "users", "schema_version", "t"}) {
    must(sql_->run(fmt::format("DROP TABLE IF EXISTS {}", table)));
  }
  must(
      sql_->run("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, n BIGINT, d DOUBLE PRECISION, s "
                "VARCHAR(200))"));
}

Result<SqlResult> SqlTest::insert(SqlConnection& connection, std::int64_t id, std::int64_t n) {
  return connection.run("INSERT INTO t (id, n) VALUES (?, ?)", {id, n});
}

Result<SqlResult> SqlTest::insert(std::int64_t id, std::int64_t n) {
  return sql_->run("INSERT INTO t (id, n) VALUES (?, ?)", {id, n});
}

std::int64_t SqlTest::rows() {
  return count(sql_->run("SELECT COUNT(*) FROM t"));
}

}  // namespace lab::infra::test
