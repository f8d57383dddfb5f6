#pragma once
// Is there one order of these operations, true to real time, in which every answer is right? The
// search of Wing & Gong (1993) with Lowe's memory of what was tried (2017), in the form of
// Porcupine. Registers are judged one by one: linearizability is local (Herlihy & Wing 1990).

#include <span>

#include "core/clock.h"
#include "judge/history.h"
#include "judge/judgement.h"

namespace lab::judge {

struct LinearizableOptions {
  Nanos timeout = 60s;                      // then the verdict is unknown
  std::size_t memory_bytes = 512ULL << 20;  // of what was tried; more of it: unknown
  Nanos shrink_time = 5s;                   // spent at most on making the example smaller
};

/// A register begins absent. `fail` operations are left out; `info` ones may take effect at any
/// time after they were invoked, or never. A violation's finding has a history that is as small as
/// was found, and which is not linearizable in itself: the longest run that works, and the operation that
/// then has no place. A pure function.
Judgement check_linearizable(std::span<const KeyOperation> history,
                             const LinearizableOptions& options = {});

}  // namespace lab::judge
