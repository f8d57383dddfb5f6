#pragma once
// A result as text. Pure functions of the result: the same result gives the same text.

#include <cstddef>
#include <string>

#include "harness/results.h"

namespace lab::harness {

/// Did it stay correct, how fast, the verdict, why, what next: for a person.
std::string report_text(const RunResult& result, std::size_t columns, bool colour);

/// The same tables with tabs between the fields and an empty line between the tables: for scripts.
std::string report_plain(const RunResult& result);

/// "✓ all as promised: 4 variants hold every check, 3 broke what they had to break"
std::string verdict_sentence(const RunResult& result);

}  // namespace lab::harness
