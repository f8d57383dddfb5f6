#pragma once
// A recorded result as Markdown tables.

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace lab::cli {

/// From a result of schema lab.result/1 (docs/formats/result.md). Kinds:
///   variants     name, promise and idea, with a link to the source
///   correctness  check × variant
///   witnesses    for each violated check, what proves it
///   speed        variant × metric, median [first quartile, third quartile]. `metrics` chooses which,
///                and their order; none means all. What was timed in rounds is struck out where the
///                variant has no rank, because a check was broken or could not tell
///   limits       what the machine gives at best, and how near the best variant came; apart, what is there for comparison
/// Each ends with a line saying where the numbers come from. `document` is the path of the file that
/// the table is for: links are relative to it.
Result<std::string> result_table(std::string_view recorded, const std::string& kind,
                                 const std::vector<std::string>& metrics,
                                 const std::string& document);

}  // namespace lab::cli
