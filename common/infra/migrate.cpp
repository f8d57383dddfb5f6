#include "infra/migrate.h"

#include <fmt/format.h>

#include "core/log.h"
#include "infra/sql_text.h"

namespace lab::infra {
namespace {

// finished = 0 while a migration is under way: only on MariaDB can anyone ever see that.
constexpr std::string_view create_table =
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, name "
    "VARCHAR(100) NOT NULL, "
    "finished BIGINT NOT NULL)";

/// The last migration that was applied; 0 in an empty database.
Result<std::int64_t> current_version(Sql& sql) {
  if (auto created = sql.run(create_table); !created) return created.error();
  auto rows =
      sql.run("SELECT version, name, finished FROM schema_version ORDER BY version DESC LIMIT 1");
  if (!rows) return rows.error();
  if (rows->rows.empty()) return 0;
  const SqlRow& last = rows->rows.front();
  if (as_integer(last[2]) == 0) {
    return Error{
        ErrorCode::conflict, Happened::no,
        fmt::format(
            "migration {} ({}) broke half-way: the database has to be repaired or made anew",
            as_integer(last[0]), std::get<std::string>(last[1]))};
  }
  return as_integer(last[0]);
}

Result<void> apply(Sql& sql, const domain::Migration& migration) {
  log::info("migration {} ({})", migration.version, migration.name);
  auto applied = sql.transaction([&](SqlConnection& connection) -> Result<void> {
    auto noted =
        connection.run("INSERT INTO schema_version (version, name, finished) VALUES (?, ?, 0)",
                       {std::int64_t{migration.version}, std::string(migration.name)});
    if (!noted) return noted.error();
    for (const std::string& statement : split_statements(migration.sql)) {
      if (auto done = connection.run(statement); !done) return done.error();
    }
    auto finished = connection.run("UPDATE schema_version SET finished = 1 WHERE version = ?",
                                   {std::int64_t{migration.version}});
    if (!finished) return finished.error();
    return {};
  });
  if (applied) return {};
  Error error = applied.error();
  error.message =
      fmt::format("migration {} ({}): {}", migration.version, migration.name, error.message);
  return error;
}

}  // namespace

Result<void> migrate(Sql& sql, std::span<const domain::Migration> migrations) {
  const auto version = current_version(sql);
  if (!version) return version.error();
  const std::int64_t newest = migrations.empty() ? 0 : migrations.back().version;
  if (*version > newest) {
    return Error{
        ErrorCode::invalid, Happened::no,
        fmt::format(
            "the database has schema version {}, this program knows {}: use a newer program",
            *version, newest)};
  }
  for (const domain::Migration& migration : migrations) {
    if (migration.version <= *version) continue;
    if (auto applied = apply(sql, migration); !applied) return applied;
  }
  return {};
}

}  // namespace lab::infra
