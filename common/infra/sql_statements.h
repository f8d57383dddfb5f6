#pragma once
// What all engines share in keeping statements and reading numbers. Not for use outside the room.

#include <charconv>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "infra/sql.h"

namespace lab::infra {

/// By a statement's text; looked up without making a std::string of it.
struct StatementHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class Value>
using StatementMap = std::unordered_map<std::string, Value, StatementHash, std::equal_to<>>;

/// In order, as one statement that holds them all wants them.
inline std::vector<SqlValue> values_of(std::span<const SqlStatement> statements) {
  std::vector<SqlValue> values;
  for (const auto& statement : statements)
    values.insert(values.end(), statement.values.begin(), statement.values.end());
  return values;
}

/// "12" is an integer, "12.5" and "1e300" are not.
inline SqlValue number_from_text(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto read = std::from_chars(text.data(), end, integer);
      read.ec == std::errc() && read.ptr == end) {
    return integer;
  }
  double real = std::nan("");
  std::from_chars(text.data(), end, real);
  return real;
}

}  // namespace lab::infra
