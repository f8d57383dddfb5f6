#pragma once
// The fault plan: what is done to the system, when, for how long. It is made from the seed before
// the run starts, so the same seed always injects the same faults at the same planned times.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::faults {

/// One thing done to the system. `begin` breaks it, `end` mends it; both return when their effect
/// is complete.
struct Fault {
  std::string name;    // "redis-kill"
  std::string target;  // "redis"
  Nanos at{};          // after the plan's start
  Nanos duration{};
  std::function<Result<void>()> begin;
  std::function<Result<void>()> end;
};

/// What was really done, and when, relative to the plan's start.
struct FaultRecord {
  std::string name, target;
  Nanos began{}, ended{};  // began: just before begin() was called; ended: after end() returned
  Nanos in_force{};        // when begin() had returned: from then until end() it was surely there
  std::string error;       // why begin or end failed; empty when they did not
};

/// A fault lasts its duration from when it is in force; a beginning that failed is ended at once.
/// Carries out the faults at their times on a thread of its own. Every fault that began is ended,
/// also when the run is stopped early: the destructor and stop() end it at once.
class FaultPlan {
 public:
  explicit FaultPlan(std::vector<Fault> faults);
  ~FaultPlan();
  FaultPlan(const FaultPlan&) = delete;
  FaultPlan& operator=(const FaultPlan&) = delete;

  /// Told from the plan's thread when a fault begins (ended == false) and when it has ended.
  using Observer = std::function<void(const FaultRecord&, bool ended)>;

  void start(Instant zero, Observer observer = {});
  /// Waits for the last fault to end.
  std::vector<FaultRecord> finish();
  /// Ends what has begun, skips the rest.
  std::vector<FaultRecord> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::faults
