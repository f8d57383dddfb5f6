#pragma once
// Plays a script: each transaction on a connection and a thread of its own, one step after the other
// as the script says. A step that waits for another transaction is left waiting, and the script goes
// on.

#include <chrono>
#include <memory>
#include <string>

#include "core/clock.h"
#include "script.h"

namespace isolation_matrix {

struct PlayerLimits {
  /// Where the engine can't be asked who waits: whoever has not answered by then waits.
  lab::Nanos patience = std::chrono::milliseconds(15);
  /// For a step, all waiting included. Beyond it the machine has stalled.
  lab::Nanos step = std::chrono::seconds(30);
};

/// Not thread-safe. Makes its threads once and keeps them.
class Player {
 public:
  /// The connections live as long as the player. `observer` asks who waits, and resets and reads
  /// the accounts. `count_waiting` as in IsolationLevel.
  Player(std::vector<std::unique_ptr<lab::infra::SqlConnection>> transactions,
         std::unique_ptr<lab::infra::SqlConnection> observer, std::string count_waiting,
         PlayerLimits limits = {});
  ~Player();

  /// From freshly reset accounts. Nobody is in a transaction any more when it returns. Throws
  /// Failure when the accounts can't be reset or read, or a step takes longer than the limit.
  Played play(const Script& script);

 private:
  class Stage;
  std::unique_ptr<Stage> stage_;
};

}  // namespace isolation_matrix
