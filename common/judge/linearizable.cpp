#include "judge/linearizable.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "judge/register_search.h"

namespace lab::judge {
namespace {

constexpr std::size_t kShownOperations =
    12;  // operations of the run that works; its end is what tells

/// Numbers for values, and back. 0 is absent.
class Values {
 public:
  std::int32_t number(const KeyOperation::Value& value) {
    if (!value) return 0;
    const auto [at, fresh] = numbers_.try_emplace(*value, static_cast<std::int32_t>(texts_.size()));
    if (fresh) texts_.push_back(*value);
    return at->second;
  }
  const std::string& text(std::int32_t number) const {
    return texts_[static_cast<std::size_t>(number)];
  }

 private:
  std::unordered_map<std::string, std::int32_t> numbers_;
  std::vector<std::string> texts_{"absent"};
};

bool has_effect(const KeyOperation& operation) {
  return operation.kind != KeyOperation::Kind::read;
}

RegisterStep step_of(const KeyOperation& operation, std::size_t place, Values& values) {
  RegisterStep step;
  step.place = place;
  step.kind = operation.kind;
  if (operation.kind != KeyOperation::Kind::remove) step.value = values.number(operation.value);
  step.expected = values.number(operation.expected);
  step.swapped = operation.swapped;
  step.invoked = operation.invoked;
  if (operation.outcome == Outcome::ok && operation.returned) step.returned = *operation.returned;
  return step;
}

/// An open step whose value nobody saw may be taken as never having happened: whatever order works
/// with it works without it. Each one left in would double the search.
void drop_unseen(std::vector<RegisterStep>& steps) {
  std::set<std::int32_t> seen;
  for (const auto& step : steps) {
    if (step.kind == RegisterStep::Kind::cas) seen.insert(step.expected);
    if (step.kind == RegisterStep::Kind::read) seen.insert(step.value);
    if (step.kind == RegisterStep::Kind::cas && step.completed() && !step.swapped) return;
  }
  std::erase_if(steps, [&](const RegisterStep& step) {
    return !step.completed() && !seen.contains(step.value);
  });
}

std::string line_of(const KeyOperation& operation, std::size_t place) {
  return fmt::format(
      "operation {} (process {}, {} to {}): {}", place + 1, operation.process, operation.invoked,
      operation.returned ? std::to_string(*operation.returned) : "?", text_of(operation));
}

/// One register's history, judged.
class Register {
 public:
  Register(std::span<const KeyOperation> history, const std::vector<std::size_t>& places,
           const SearchLimits& limits)
      : history_(history), limits_(limits) {
    for (const std::size_t place : places)
      steps_.push_back(step_of(history[place], place, values_));
    drop_unseen(steps_);
  }

  SearchResult judge() const { return search_order(steps_, limits_); }

  Finding finding(Nanos shrink_time) {
    steps_ = shrunk(std::move(steps_),
                    {std::min(limits_.deadline, now() + shrink_time), limits_.memory_bytes});
    const SearchResult result = search_order(steps_, limits_);
    Finding finding;
    finding.anomaly = "not-linearizable";
    for (const std::size_t at : result.run) finding.operations.push_back(steps_[at].place);
    finding.in_order = finding.operations.size();
    if (result.blocked) finding.operations.push_back(steps_[*result.blocked].place);
    finding.witness = witness(finding, result);
    const std::set<std::size_t> placed(finding.operations.begin(), finding.operations.end());
    for (const auto& step : steps_) {
      if (!placed.contains(step.place)) finding.operations.push_back(step.place);
    }
    return finding;
  }

 private:
  std::string witness(const Finding& finding, const SearchResult& result) const {
    const std::size_t first =
        finding.in_order > kShownOperations ? finding.in_order - kShownOperations : 0;
    std::string text =
        fmt::format("of {} operations that cannot all be put in order, at most {} can{}",
                    steps_.size(), finding.in_order,
                    first > 0 ? fmt::format("; the last {} of those:", kShownOperations) : ":");
    for (std::size_t at = first; at < finding.in_order; ++at) {
      const std::size_t place = finding.operations[at];
      text += fmt::format("\n  {:>2}. {}", at + 1, line_of(history_[place], place));
    }
    if (!result.blocked) return text;
    const std::size_t place = steps_[*result.blocked].place;
    return text + fmt::format("\n  then the register is {}, and this has no place:\n      {}",
                              values_.text(result.state), line_of(history_[place], place));
  }

  std::span<const KeyOperation> history_;
  SearchLimits limits_;
  Values values_;
  std::vector<RegisterStep> steps_;
};

}  // namespace

Judgement check_linearizable(std::span<const KeyOperation> history,
                             const LinearizableOptions& options) {
  const SearchLimits limits{now() + options.timeout, options.memory_bytes};
  std::map<std::string, std::vector<std::size_t>> by_key;
  Judgement judgement;
  for (std::size_t place = 0; place < history.size(); ++place) {
    const KeyOperation& operation = history[place];
    const bool ok = operation.outcome == Outcome::ok;
    const bool counts = ok || (operation.outcome == Outcome::info && has_effect(operation));
    if (counts) by_key[operation.key].push_back(place);
    judgement.examined += ok;
  }
  if (judgement.examined == 0) judgement.why = "no operation is known to have happened";
  for (const auto& [key, places] : by_key) {
    Register one(history, places, limits);
    const SearchResult result = one.judge();
    if (result.verdict == Verdict::unknown) {
      judgement.why =
          fmt::format("{} before every order was tried{}",
                      result.out_of_memory ? "the memory was used up" : "the time was up",
                      key.empty() ? "" : " for key " + key);
    }
    if (result.verdict != Verdict::violated) continue;
    if (judgement.findings.empty()) {
      judgement.findings.push_back(one.finding(options.shrink_time));
    } else {
      ++judgement.findings.front().found;
    }
  }
  const bool violated = !judgement.findings.empty();
  judgement.verdict = violated                ? Verdict::violated
                      : judgement.why.empty() ? Verdict::holds
                                              : Verdict::unknown;
  if (violated) judgement.why.clear();
  return judgement;
}

}  // namespace lab::judge
