#pragma once
// Did these transactions run at the isolation level that was promised? From what they read and
// wrote alone: each append adds an element that no other append has, so a read tells which appends
// came before it, and in which order. From that follow dependencies between transactions, and a
// cycle among them is an anomaly (Kingsbury & Alvaro, Elle, VLDB 2020; the anomalies are Adya's,
// 1999). An append has to be one operation of the database: where clients read a list and write it
// back longer, elements get lost that no isolation level protects.

#include <span>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "judge/history.h"
#include "judge/judgement.h"

namespace lab::judge {

enum class Level {
  read_uncommitted,
  read_committed,
  snapshot_isolation,
  repeatable_read,  // Adya's PL-2.99: serializable but for predicates, which lists don't have
  serializable,
  strict_serializable,
};

std::string_view name(Level level);  // "snapshot-isolation"
const std::vector<Level>& all_levels();
/// The error names the nearest level.
Result<Level> level_named(std::string_view name);

struct ListAppendOptions {
  Level level = Level::serializable;
  // Also counted as dependencies; strict_serializable counts both in any case.
  bool process_order = false;    // what one process did, one after the other
  bool real_time_order = false;  // what had returned before another was invoked
  Nanos timeout = 60s;           // then the verdict is unknown, unless a violation was found
};

/// The anomalies that the level forbids are told with `violates`, the others are told too. Sound:
/// what it reports did happen. Complete where every append was read by somebody; the order of
/// appends that nobody read is known in part.
/// `info` transactions count when somebody read what they appended.
/// `invalid`: two appends of one element to one key.
/// A pure function; memory and time grow with the history's length.
Result<Judgement> check_list_append(std::span<const Transaction> history,
                                    const ListAppendOptions& options = {});

}  // namespace lab::judge
