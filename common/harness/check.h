#pragma once
// Checks, verdicts, promises: what the lab exists for.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace lab::harness {

enum class Verdict { holds, violated, inconclusive };
std::string_view name(Verdict verdict);

/// A check's answer. A violation has a witness: the few operations that prove it, readable on its
/// own. `inconclusive` says in the witness what was missing; `holds` may say in a few words what it
/// cost to hold: "wait 3 ms".
struct CheckResult {
  Verdict verdict = Verdict::inconclusive;
  std::string witness;
  std::uint64_t examined = 0;  // how many cases the answer rests on

  static CheckResult holds(std::uint64_t examined, std::string cost = {}) {
    return {Verdict::holds, std::move(cost), examined};
  }
  static CheckResult violated(std::string witness, std::uint64_t examined) {
    return {Verdict::violated, std::move(witness), examined};
  }
  static CheckResult inconclusive(std::string why, std::uint64_t examined = 0) {
    return {Verdict::inconclusive, std::move(why), examined};
  }
};

/// An invariant over a scenario's evidence. Returns nothing where it does not apply ("loads per
/// expiry" of a variant in which nothing expires).
template <class Evidence>
struct Check {
  std::string name;   // "bounded-staleness"
  std::string claim;  // the invariant as a sentence
  std::function<std::optional<CheckResult>(const Evidence&)> judge;
};

struct NamedResult {
  std::string check;
  CheckResult result;
};

template <class Evidence>
std::vector<NamedResult> judge_all(const std::vector<Check<Evidence>>& checks,
                                   const Evidence& evidence) {
  std::vector<NamedResult> results;
  for (const auto& check : checks) {
    if (auto result = check.judge(evidence)) results.push_back({check.name, std::move(*result)});
  }
  return results;
}

/// A run that tested nothing must not be green. Each guard that fails turns `holds` into
/// `inconclusive`.
struct Guard {
  std::string name;  // "fault overlapped an operation in flight"
  bool satisfied = false;
  std::string detail;  // "0 of 1,204 operations"
};
void apply_guards(std::vector<NamedResult>& results, const std::vector<Guard>& guards);

/// What a variant promises. `breaks` are the checks that it must be seen to break: if it doesn't,
/// the check has not been seen to fail and the run proves nothing. About `silent_on` it promises
/// nothing either way. Each entry may be limited to some faults; with none it counts under any.
class Promise {
 public:
  struct Clause {
    std::string check;
    std::vector<std::string> faults;
    bool under(std::string_view fault) const;
  };

  static Promise control();
  static Promise must_hold();
  static Promise must_break(std::string check, std::vector<std::string> faults = {});
  Promise& also_breaks(std::string check, std::vector<std::string> faults = {});
  Promise& silent_on(std::string check, std::vector<std::string> faults = {});

  /// Under this fault: "control", "must_hold", "must_break(available, bounded-staleness)".
  std::string text(std::string_view fault) const;
  bool breaks(std::string_view check, std::string_view fault) const;
  bool is_silent_on(std::string_view check, std::string_view fault) const;
  /// All checks that it must break under some fault.
  const std::vector<Clause>& breaks() const { return breaks_; }
  bool is_control() const { return control_; }

 private:
  bool control_ = false;
  std::vector<Clause> breaks_, silent_;
};

/// What the checks add up to: violated if any is, else inconclusive if any is (or there is none),
/// else holds.
Verdict overall(const std::vector<NamedResult>& results);

/// The checks' answers against the promise: `holds` as promised, `violated` a promise broken (a
/// check failed that was promised to hold), `inconclusive` a check that should have failed did not,
/// or nothing could be said.
Verdict against_promise(const std::vector<NamedResult>& results, const Promise& promise,
                        std::string_view fault);

}  // namespace lab::harness
