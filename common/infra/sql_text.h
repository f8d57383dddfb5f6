#pragma once
// What can be done to SQL text without understanding it: number placeholders and split scripts, at places that are not
// inside quotes or comments; and write several statements as one.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infra/sql.h"

namespace lab::infra {

/// PostgreSQL's spelling: the first `?` becomes `$1`, the second `$2` and so on. Those inside
/// 'text', "names", `names` and comments stay. An unfinished quote reaches to the end.
std::string numbered_placeholders(std::string_view statement);

/// Several as one, for MariaDB: a compound statement outside of any stored procedure, prepared like any other. MySQL has
/// none.
std::string compound_statement(std::span<const SqlStatement> statements);

/// For PostgreSQL: as parts of one, which is a transaction by itself. It divides by how many rows each of them changed, in
/// their order: where one changed none, that fails, and all is taken back.
std::string joined_statement(std::span<const SqlStatement> statements);

/// The statements of a script, without their `;` and without comments before and between them. An
/// empty one is left out.
std::vector<std::string> split_statements(std::string_view script);

}  // namespace lab::infra
