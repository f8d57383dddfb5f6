#pragma once
// Small helpers for words that people type and read.

#include <span>
#include <string>
#include <string_view>

namespace lab {

/// The candidate nearest to what was typed, or empty when none is near (more than a third of the
/// letters differ). Distance: optimal string alignment, so that a swapped pair of letters counts
/// once (Damerau 1964).
std::string nearest(std::string_view typed, std::span<const std::string> candidates);

/// "12,345,678"
std::string with_thousands(long long value);

}  // namespace lab
