#pragma once
// Histories as text, one JSON object a line: docs/formats/history.md.

#include <iosfwd>
#include <string>
#include <vector>

#include "core/result.h"
#include "judge/history.h"

namespace lab::judge {

// What a history may be at most. Beyond it reading ends with an error.
constexpr std::size_t kMostLines = 10'000'000;
constexpr std::size_t kLongestLine = 16UL << 20;  // bytes
constexpr int kDeepest = 4;                       // arrays and objects in one another

/// Strict: an unknown, missing, doubled or mistyped field, times that run backwards and a process
/// that does two things at a time are errors. `invalid`, with "line N: " in front. The element of
/// the vector at N - 1 is what stands on line N.
Result<std::vector<Transaction>> read_transactions(std::istream& in);

/// `with_keys`: every operation names its key; without, none may.
Result<std::vector<KeyOperation>> read_operations(std::istream& in, bool with_keys);

/// One line each, without the line's end.
std::string json_line(const Transaction& transaction);
/// A value that is JSON is written as it is, other text as a string.
std::string json_line(const KeyOperation& operation);

}  // namespace lab::judge
