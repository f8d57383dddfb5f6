#pragma once
// The interleavings that nobody thought of: clients append to a few lists and read them, as they
// come, and what they saw is kept for a checker (judge/list_append.h).

#include <cstdint>
#include <vector>

#include "core/clock.h"
#include "infra/sql.h"
#include "isolation_level.h"
#include "judge/history.h"

namespace isolation_matrix {

struct ListLoad {
  std::size_t clients = 5;
  lab::Nanos length = std::chrono::seconds(1);
  /// It goes on until so many have committed, for a slow disk, but not for ever.
  std::uint64_t fewest = 1'000;
  lab::Nanos longest = std::chrono::seconds(20);
  /// After so many transactions the next lists, so that none grows long, however long the load.
  std::uint64_t generation = 120;
  std::uint64_t seed = 1;
};

/// Runs the load on connections of its own, a thread each, and two more; in the end one transaction
/// reads every list. Times are nanoseconds since the load began. Throws Failure when anything but a conflict makes
/// a transaction fail, a lost connection too: on a server of one's own that is a bug.
std::vector<lab::judge::Transaction> recorded_lists(lab::infra::Sql& sql,
                                                    const IsolationLevel& level,
                                                    const ListLoad& load);

}  // namespace isolation_matrix
