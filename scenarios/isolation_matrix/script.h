#pragma once
// A few transactions, interleaved step by step, and what came of it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "infra/sql.h"

namespace isolation_matrix {

enum Who : std::size_t { T1, T2 };
inline constexpr std::size_t kTransactions = 2;

/// A transaction begins with its first step. COMMIT and ROLLBACK end it.
struct Step {
  Who who;
  std::string statement;
  std::string label = {};  // what the verdict calls its answer
};

struct Answer {
  enum class State {
    skipped,  // its transaction was over: aborted
    done,
    failed,
  };
  State state = State::skipped;
  lab::infra::SqlResult result;
  lab::Error error;       // when it failed
  bool waited = false;    // for another transaction
  std::size_t steps = 0;  // that others were given meanwhile
};

class Played;

struct Script {
  std::string anomaly;  // "G1a"
  std::string claim;    // what holds where it is prevented
  std::vector<Step> steps;
  /// Was the anomaly there? Asked only when every step was answered or its transaction aborted.
  std::function<bool(const Played&)> observed;
};

/// What a script saw. Answers are found by the labels of their steps.
class Played {
 public:
  /// `accounts`: id and balance of each, when all was over. The script must live as long.
  Played(const Script& script, std::vector<Answer> answers,
         std::vector<lab::infra::SqlRow> accounts)
      : script_(&script), answers_(std::move(answers)), accounts_(std::move(accounts)) {}

  const std::vector<Answer>& answers() const { return answers_; }

  /// The first column of the first row; nothing when there was no row or no answer.
  std::optional<std::int64_t> saw(std::string_view label) const;
  std::optional<std::size_t> rows(std::string_view label) const;
  std::optional<std::int64_t> affected(std::string_view label) const;
  bool committed(Who who) const;
  /// The balance of that account when all was over; nothing when there is none.
  std::optional<std::int64_t> in_the_end(std::int64_t id) const;

  std::size_t waits() const;         // steps that waited for another transaction
  std::size_t steps_waited() const;  // how many steps of the script passed meanwhile, all together
  std::size_t aborts() const;        // transactions that the engine ended
  /// Why it proves nothing: an error that is no abort, a wait that ended only by its time limit.
  std::string problem() const;

  /// "T1: UPDATE … (1 row); T2: SELECT … → 101; T1: ROLLBACK"
  std::string transcript() const;

 private:
  const Answer* answer(std::string_view label) const;

  const Script* script_;
  std::vector<Answer> answers_;
  std::vector<lab::infra::SqlRow> accounts_;
};

}  // namespace isolation_matrix
