#include "harness/check.h"

#include <algorithm>

namespace lab::harness {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds: return "holds";
    case Verdict::violated: return "violated";
    case Verdict::inconclusive: return "inconclusive";
  }
  return "inconclusive";
}

void apply_guards(std::vector<NamedResult>& results, const std::vector<Guard>& guards) {
  const auto failed = std::find_if(guards.begin(), guards.end(),
                                   [](const Guard& guard) { return !guard.satisfied; });
  if (failed == guards.end()) return;
  for (auto& [check, result] : results) {
    if (result.verdict != Verdict::holds) continue;
    result = CheckResult::inconclusive(
        "not enough was tested: " + failed->name + ": " + failed->detail, result.examined);
  }
}

bool Promise::Clause::under(std::string_view fault) const {
  return faults.empty() || std::find(faults.begin(), faults.end(), fault) != faults.end();
}

Promise Promise::control() {
  Promise promise;
  promise.control_ = true;
  return promise;
}

Promise Promise::must_hold() {
  return {};
}

Promise Promise::must_break(std::string check, std::vector<std::string> faults) {
  return must_hold().also_breaks(std::move(check), std::move(faults));
}

Promise& Promise::also_breaks(std::string check, std::vector<std::string> faults) {
  breaks_.push_back({std::move(check), std::move(faults)});
  return *this;
}

Promise& Promise::silent_on(std::string check, std::vector<std::string> faults) {
  silent_.push_back({std::move(check), std::move(faults)});
  return *this;
}

namespace {

bool any_clause(const std::vector<Promise::Clause>& clauses, std::string_view check,
                std::string_view fault) {
  return std::any_of(clauses.begin(), clauses.end(), [&](const Promise::Clause& clause) {
    return clause.check == check && clause.under(fault);
  });
}

}  // namespace

bool Promise::breaks(std::string_view check, std::string_view fault) const {
  return any_clause(breaks_, check, fault);
}

bool Promise::is_silent_on(std::string_view check, std::string_view fault) const {
  return any_clause(silent_, check, fault);
}

std::string Promise::text(std::string_view fault) const {
  std::string broken;
  for (const auto& clause : breaks_) {
    if (clause.under(fault)) broken += (broken.empty() ? "" : ", ") + clause.check;
  }
  if (!broken.empty()) return "must_break(" + broken + ")";
  return control_ ? "control" : "must_hold";
}

Verdict overall(const std::vector<NamedResult>& results) {
  bool inconclusive = results.empty();
  for (const auto& [check, result] : results) {
    if (result.verdict == Verdict::violated) return Verdict::violated;
    inconclusive |= result.verdict == Verdict::inconclusive;
  }
  return inconclusive ? Verdict::inconclusive : Verdict::holds;
}

Verdict against_promise(const std::vector<NamedResult>& results, const Promise& promise,
                        std::string_view fault) {
  bool inconclusive = results.empty();
  for (const auto& [check, result] : results) {
    if (promise.breaks(check, fault)) {
      inconclusive |= result.verdict != Verdict::violated;
    } else if (!promise.is_silent_on(check, fault)) {
      if (result.verdict == Verdict::violated) return Verdict::violated;
      inconclusive |= result.verdict == Verdict::inconclusive;
    }
  }
  // A check that was to be broken must have been judged at all.
  for (const auto& clause : promise.breaks()) {
    if (!clause.under(fault)) continue;
    inconclusive |= std::none_of(results.begin(), results.end(), [&](const NamedResult& result) {
      return result.check == clause.check;
    });
  }
  return inconclusive ? Verdict::inconclusive : Verdict::holds;
}

}  // namespace lab::harness
