#pragma once
// What the scripts showed at one level, and the checks: one for each anomaly.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/results.h"
#include "judge/judgement.h"
#include "script.h"

namespace isolation_matrix {

/// One anomaly at one level: every time that its script was played.
struct Cell {
  std::uint64_t played = 0, observed = 0, unclear = 0;
  std::uint64_t waits = 0, steps_waited = 0, aborts = 0;  // of all plays
  std::string witness;  // the first play in which the anomaly was there
  std::string problem;  // of the first that proved nothing
};

class Matrix {
 public:
  void add(const Script& script, const Played& played);
  /// Of these transactions; `aborted` of them failed.
  void add(lab::judge::Judgement judgement, std::uint64_t aborted);

  /// Nothing when its script was never played.
  const Cell* cell(const std::string& anomaly) const;

  /// lock_waits, steps_waited, aborts: of one pass through all scripts, on average. history_commits,
  /// history_aborts: transactions of the recorded history.
  std::vector<lab::harness::Metric> costs() const;
  std::uint64_t passes() const;

  struct Recorded {
    lab::judge::Judgement judgement;
    std::uint64_t aborted = 0;
  };
  const std::optional<Recorded>& recorded() const { return recorded_; }

 private:
  std::map<std::string, Cell> cells_;
  std::optional<Recorded> recorded_;
};

/// What it took to prevent the anomaly, of one play: "wait of 3 steps, abort"; empty when nothing.
std::string price(const Cell& cell);

/// One check for each script: its anomaly was in no play. And "history": what many transactions saw
/// is possible at the level.
const std::vector<lab::harness::Check<Matrix>>& checks();

}  // namespace isolation_matrix
