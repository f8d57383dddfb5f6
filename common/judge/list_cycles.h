#pragma once
// Cycles among the dependencies of transactions, named as Adya does: by the kinds they are made of.

#include "core/clock.h"
#include "judge/list_index.h"

namespace lab::judge {

struct OrderCounted {
  bool process = false;
  bool real_time = false;
};

/// Whether each kind of cycle exists is found in linear time; the shortest example is searched for
/// within bounds. Names: G0 (ww only), G1c (ww and wr), G-single (one rw), G-nonadjacent (several
/// rw, no two in a row), G2-item (the rest); with "-process" or "-realtime" when the cycle needs
/// that order. The index has been examined. False when the deadline passed before all was looked
/// for.
bool find_cycles(const ListIndex& index, const OrderCounted& order, Instant deadline,
                 Findings& findings);

}  // namespace lab::judge
