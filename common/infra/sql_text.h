#pragma once
// What can be done to SQL text without understanding it: find the places that are not inside quotes
// or comments.

#include <string>
#include <string_view>
#include <vector>

namespace lab::infra {

/// PostgreSQL's spelling: the first `?` becomes `$1`, the second `$2` and so on. Those inside
/// 'text', "names", `names` and comments stay. An unfinished quote reaches to the end.
std::string numbered_placeholders(std::string_view statement);

/// The statements of a script, without their `;` and without comments before and between them. An
/// empty one is left out.
std::vector<std::string> split_statements(std::string_view script);

}  // namespace lab::infra
