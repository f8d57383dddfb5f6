#pragma once
// Brings a database to the program's schema.

#include <span>

#include "domain/migrations.h"
#include "infra/sql.h"

namespace lab::infra {

/// Applies what is missing, oldest first, and records each in the table schema_version; a second
/// call does nothing. One transaction per migration on SQLite and PostgreSQL. MariaDB commits with
/// each CREATE by itself: there a migration that broke half-way is reported as such at the next
/// call (`conflict`) and has to be repaired by hand. `invalid` when the database is newer than the
/// program. Not for two programs at the same time.
Result<void> migrate(Sql& sql, std::span<const domain::Migration> migrations);

}  // namespace lab::infra
