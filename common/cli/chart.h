#pragma once
// A recorded result as a picture.

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace lab::cli {

/// An SVG from a result of schema lab.result/1: a group of bars a variant, a bar a metric (its median), all on one axis
/// from 0, each with its number; a dash where a variant has no such metric. A variant without a rank is marked. The same
/// result always gives the same bytes. Errors: invalid (no such result or metric; no).
Result<std::string> bar_chart(std::string_view recorded, const std::vector<std::string>& metrics);

}  // namespace lab::cli
