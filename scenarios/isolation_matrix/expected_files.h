#pragma once
// The files of expected/, put into the program by CMake.

#include <string_view>
#include <utility>
#include <vector>

namespace isolation_matrix {

/// Name without ".json", and text.
const std::vector<std::pair<std::string_view, std::string_view>>& expected_files();

}  // namespace isolation_matrix
