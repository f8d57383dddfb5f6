#pragma once
// Which anomalies each level of each engine lets through, by version: the files in expected/, which
// are part of the program.

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace isolation_matrix {

struct Expected {
  std::string file;           // "mariadb-10.11"
  std::string version;        // from which on it is meant: "10.11"
  std::string default_level;  // what IsolationLevel::ask_default() answers
  std::string measured_on;    // or where it is known from

  /// The anomalies that the variant lets through. Throws Failure when the file does not know it.
  const std::vector<std::string>& observed(const std::string& variant) const;

  std::vector<std::pair<std::string, std::vector<std::string>>> levels;  // by variant
};

/// The newest that is not newer than this version of the engine; when all are, the oldest. An
/// empty version gives the oldest.
const Expected& expected_of(std::string_view engine, std::string_view version);

/// One of these files. Errors say what is wrong with it.
lab::Result<Expected> parse_expected(const std::string& name, const std::string& json);

/// Is a.b.c older than d.e? Number by number, as far as both go.
bool older(std::string_view version, std::string_view other);

}  // namespace isolation_matrix
