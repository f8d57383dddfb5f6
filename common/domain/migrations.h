#pragma once
// The database's schema as numbered steps. The texts are the files
// common/domain/migrations/NNNN_name.sql, built into the program, so that an executable needs no
// repository beside it.

#include <span>
#include <string_view>

namespace lab::domain {

struct Migration {
  int version = 0;        // 1, 2, 3 … without a gap: the number of its file
  std::string_view name;  // "products"
  std::string_view sql;   // statements that end in ';', the same for SQLite, MariaDB and PostgreSQL
};

/// All of them, oldest first. infra/migrate.h applies them.
std::span<const Migration> migrations();

}  // namespace lab::domain
