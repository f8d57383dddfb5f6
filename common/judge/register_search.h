#pragma once
// The search behind check_linearizable, for one register.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/clock.h"
#include "judge/history.h"
#include "judge/judgement.h"

namespace lab::judge {

/// One operation with its values as numbers; 0 is absent.
struct RegisterStep {
  using Kind = KeyOperation::Kind;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  std::size_t place = 0;  // in the history
  Kind kind = Kind::read;
  std::int32_t value = 0, expected = 0;
  bool swapped = true;
  std::int64_t invoked = 0;
  std::int64_t returned = kNever;  // kNever: may take effect at any later time, or not at all

  bool completed() const { return returned != kNever; }
};

/// The register's value after the step, or nothing when the step cannot have been answered as it
/// was.
std::optional<std::int32_t> after(const RegisterStep& step, std::int32_t state);

struct SearchLimits {
  Instant deadline;
  std::size_t memory_bytes;
};

struct SearchResult {
  Verdict verdict = Verdict::unknown;
  std::vector<std::size_t> run;        // indices of steps: the longest order that works
  std::optional<std::size_t> blocked;  // the step that had to come next and could not
  std::int32_t state = 0;              // of the register after that run
  bool out_of_memory = false;
};

/// Steps in any order.
SearchResult search_order(const std::vector<RegisterStep>& steps, const SearchLimits& limits);

/// A smaller history that is not linearizable either, if the deadline allows: the shortest
/// beginning that fails, without what can be left out. What may be left out of a linearizable
/// history without harm: any read, any cas that found another value; and all that writes or reads
/// one value, where no cas depends on it.
std::vector<RegisterStep> shrunk(std::vector<RegisterStep> steps, const SearchLimits& limits);

}  // namespace lab::judge
