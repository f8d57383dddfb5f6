#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "workload.h"

namespace isolation_matrix {
namespace {

using lab::harness::Better;
using lab::harness::Check;
using lab::harness::CheckResult;
using lab::harness::Metric;

CheckResult judge(const Cell& cell) {
  if (cell.observed > 0) {
    return CheckResult::violated(
        fmt::format("{} of {} times. {}", cell.observed, cell.played, cell.witness), cell.played);
  }
  if (cell.unclear > 0) return CheckResult::inconclusive(cell.problem, cell.played);
  return CheckResult::holds(cell.played, price(cell));
}

constexpr std::uint64_t kFewestTransactions = 500;

/// "900 commits, 10 % aborts": a share says little without what it is a share of.
std::string commits_and_aborts(const Matrix::Recorded& recorded) {
  const double all = static_cast<double>(recorded.judgement.examined + recorded.aborted);
  const std::string commits = fmt::format("{} commits", recorded.judgement.examined);
  if (recorded.aborted == 0) return commits;
  return fmt::format("{}, {:.0f} % aborts", commits,
                     std::ceil(100 * static_cast<double>(recorded.aborted) / all));
}

CheckResult judge(const Matrix::Recorded& recorded) {
  const auto& [verdict, why, findings, examined] = recorded.judgement;
  if (verdict == lab::judge::Verdict::violated) {
    const auto& worst = findings.front();
    return CheckResult::violated(
        fmt::format("{}, {} found. {}", worst.anomaly, worst.found, worst.witness), examined);
  }
  if (verdict == lab::judge::Verdict::unknown) return CheckResult::inconclusive(why, examined);
  if (examined < kFewestTransactions) {
    return CheckResult::inconclusive(fmt::format("only {} transactions committed", examined),
                                     examined);
  }
  return CheckResult::holds(examined, commits_and_aborts(recorded));
}

double per_play(double of_all, const Cell& cell) {
  return cell.played == 0 ? 0 : of_all / static_cast<double>(cell.played);
}

/// "wait", "2 waits"; nothing when it is rarer than every second time.
std::string counted(double value, const char* what) {
  const long long whole = std::llround(value);
  return whole == 0 ? "" : whole == 1 ? what : fmt::format("{} {}s", whole, what);
}

/// "1 step", "3 steps".
std::string steps(double value) {
  const long long whole = std::llround(value);
  return fmt::format("{} step{}", whole, whole == 1 ? "" : "s");
}

}  // namespace

void Matrix::add(const Script& script, const Played& played) {
  Cell& cell = cells_[script.anomaly];
  ++cell.played;
  cell.waits += played.waits();
  cell.aborts += played.aborts();
  cell.steps_waited += played.steps_waited();
  if (const std::string problem = played.problem(); !problem.empty()) {
    if (cell.unclear++ == 0) cell.problem = problem;
  } else if (script.observed(played)) {
    if (cell.observed++ == 0) cell.witness = played.transcript();
  }
}

void Matrix::add(lab::judge::Judgement judgement, std::uint64_t aborted) {
  recorded_ = Recorded{std::move(judgement), aborted};
}

const Cell* Matrix::cell(const std::string& anomaly) const {
  const auto found = cells_.find(anomaly);
  return found == cells_.end() ? nullptr : &found->second;
}

std::uint64_t Matrix::passes() const {
  std::uint64_t fewest = cells_.empty() ? 0 : cells_.begin()->second.played;
  for (const auto& [anomaly, cell] : cells_) fewest = std::min(fewest, cell.played);
  return fewest;
}

std::vector<Metric> Matrix::costs() const {
  double waits = 0, passed = 0, aborts = 0;
  for (const auto& [anomaly, cell] : cells_) {
    waits += per_play(static_cast<double>(cell.waits), cell);
    aborts += per_play(static_cast<double>(cell.aborts), cell);
    passed += per_play(static_cast<double>(cell.steps_waited), cell);
  }
  std::vector<Metric> costs{{"lock_waits", "1", Better::lower, {waits}},
                            {"steps_waited", "1", Better::lower, {passed}},
                            {"aborts", "1", Better::lower, {aborts}}};
  if (recorded_) {
    const auto commits = static_cast<double>(recorded_->judgement.examined);
    costs.push_back({"history_commits", "1", Better::neither, {commits}});
    costs.push_back(
        {"history_aborts", "1", Better::lower, {static_cast<double>(recorded_->aborted)}});
  }
  return costs;
}

std::string price(const Cell& cell) {
  std::string text = counted(per_play(static_cast<double>(cell.waits), cell), "wait");
  if (!text.empty()) text += " of " + steps(per_play(static_cast<double>(cell.steps_waited), cell));
  const std::string aborts = counted(per_play(static_cast<double>(cell.aborts), cell), "abort");
  return text + (text.empty() || aborts.empty() ? "" : ", ") + aborts;
}

const std::vector<Check<Matrix>>& checks() {
  static const std::vector<Check<Matrix>> all = [] {
    std::vector<Check<Matrix>> made;
    for (const auto& script : scripts()) {
      made.push_back({script.anomaly, script.claim,
                      [name = script.anomaly](const Matrix& matrix) -> std::optional<CheckResult> {
                        const Cell* cell = matrix.cell(name);
                        return cell ? std::optional(judge(*cell)) : std::nullopt;
                      }});
    }
    made.push_back({"history",
                    "what many transactions saw, as they came, is possible at this level",
                    [](const Matrix& matrix) -> std::optional<CheckResult> {
                      if (!matrix.recorded()) return std::nullopt;
                      return judge(*matrix.recorded());
                    }});
    return made;
  }();
  return all;
}

}  // namespace isolation_matrix
