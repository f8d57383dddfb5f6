#pragma once
// What a checker answers.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lab::judge {

/// `unknown`: time or memory ran out, or nothing was there to judge.
enum class Verdict { holds, violated, unknown };
std::string_view name(Verdict verdict);

/// Why one operation must come before another. The numbers are places in the history.
struct Precedence {
  std::size_t before = 0, after = 0;
  std::string label;  // "rw x"
  std::string why;    // a sentence that names both
};

/// One kind of anomaly with the shortest example that was found.
struct Finding {
  std::string anomaly;      // "G-single"
  bool violates = true;     // what was asked for forbids it
  std::uint64_t found = 1;  // examples of this kind: reads, or separate knots of transactions
  std::string witness;      // several lines, readable on their own
  std::vector<std::size_t> operations;  // of the example: places in the history
  std::vector<Precedence> precedences;  // of a cycle: each `after` is the next one's `before`
  std::size_t in_order = 0;  // the first so many operations, in this order, are a run that works
};

struct Judgement {
  Verdict verdict = Verdict::unknown;
  std::string why;                // why it is unknown, or empty
  std::vector<Finding> findings;  // those that violate first
  std::uint64_t examined = 0;     // operations or transactions that the verdict rests on
};

}  // namespace lab::judge
