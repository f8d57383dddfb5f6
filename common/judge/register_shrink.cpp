#include <algorithm>
#include <map>
#include <set>

#include "judge/register_search.h"

namespace lab::judge {
namespace {

using Steps = std::vector<RegisterStep>;
using Unit = std::vector<std::size_t>;  // indices of steps that can only go together

bool fails(const Steps& steps, const SearchLimits& limits) {
  return search_order(steps, limits).verdict == Verdict::violated;
}

bool changes_nothing(const RegisterStep& step) {
  return step.kind == RegisterStep::Kind::read ||
         (step.kind == RegisterStep::Kind::cas && step.completed() && !step.swapped);
}

/// The history as it was at that time: what had not returned may still happen.
Steps until(const Steps& steps, std::int64_t time) {
  Steps early;
  for (RegisterStep step : steps) {
    if (step.invoked > time) continue;
    if (step.returned > time) {
      if (changes_nothing(step)) continue;
      step.returned = RegisterStep::kNever;
    }
    early.push_back(step);
  }
  return early;
}

/// Once a beginning fails, so does every longer one.
Steps shortest_beginning(const Steps& steps, const SearchLimits& limits) {
  std::vector<std::int64_t> returns;
  for (const auto& step : steps) {
    if (step.completed()) returns.push_back(step.returned);
  }
  std::sort(returns.begin(), returns.end());
  std::size_t low = 0, high = returns.empty() ? 0 : returns.size() - 1;
  while (low < high && now() < limits.deadline) {
    const std::size_t middle = (low + high) / 2;
    if (fails(until(steps, returns[middle]), limits)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  Steps early = returns.empty() ? steps : until(steps, returns[high]);
  return fails(early, limits) ? early : steps;
}

/// Reads, and each value with all that writes or reads it, unless a cas depends on its being there.
std::vector<Unit> units_of(const Steps& steps) {
  std::vector<Unit> units;
  std::set<std::int32_t> needed{0};  // absent is how a register begins
  bool any_refused = false;
  for (std::size_t at = 0; at < steps.size(); ++at) {
    if (changes_nothing(steps[at])) units.push_back({at});
    if (steps[at].kind != RegisterStep::Kind::cas) continue;
    needed.insert(steps[at].expected);
    any_refused |= changes_nothing(steps[at]);
  }
  if (any_refused) return units;
  std::map<std::int32_t, Unit> by_value;
  for (std::size_t at = 0; at < steps.size(); ++at) by_value[steps[at].value].push_back(at);
  for (auto& [value, unit] : by_value) {
    if (!needed.contains(value)) units.push_back(std::move(unit));
  }
  return units;
}

Steps without(const Steps& steps, const std::vector<Unit>& units, std::size_t from,
              std::size_t count) {
  std::set<std::size_t> left_out;
  for (std::size_t at = from; at < std::min(from + count, units.size()); ++at)
    left_out.insert(units[at].begin(), units[at].end());
  Steps rest;
  for (std::size_t at = 0; at < steps.size(); ++at) {
    if (!left_out.contains(at)) rest.push_back(steps[at]);
  }
  return rest;
}

/// Tries to leave out ever smaller pieces, as delta debugging does (Zeller & Hildebrandt 2002).
/// True when some piece could go.
bool leave_out(Steps& steps, const SearchLimits& limits) {
  bool any = false;
  for (std::size_t piece = units_of(steps).size(); piece > 0; piece /= 2) {
    std::vector<Unit> units = units_of(steps);
    for (std::size_t at = 0; at < units.size();) {
      if (now() >= limits.deadline) return false;
      Steps rest = without(steps, units, at, piece);
      if (fails(rest, limits)) {
        steps = std::move(rest);
        units = units_of(steps);  // the ones before `at` are still what they were, or gone
        any = true;
      } else {
        at += piece;
      }
    }
  }
  return any;
}

}  // namespace

std::vector<RegisterStep> shrunk(std::vector<RegisterStep> steps, const SearchLimits& limits) {
  steps = shortest_beginning(steps, limits);
  while (leave_out(steps, limits)) {
  }
  return steps;
}

}  // namespace lab::judge
