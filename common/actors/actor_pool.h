#pragma once
// Keeps a number of actors running: one that dies is started again, and a kill plan decides who dies when. So a scenario's
// clients or workers stay as many as it asked for, whatever happens to each.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/actor.h"
#include "actors/crash_points.h"
#include "actors/kill_plan.h"

namespace lab::actors {

struct PoolOptions {
  std::string role;
  std::size_t actors = 4;
  std::vector<int> cpus;  // empty: those of the run
  std::string program = "/proc/self/exe";
  /// By actor, its deaths in order; empty: nobody is killed. A death at a point is the actor's own business: it is told
  /// in its orders and dies by itself (CrashPoints::die_at).
  std::vector<std::vector<Death>> deaths;
  /// What the actors die at, for their counts: a death is one at its point when somebody has died there whose death is not
  /// accounted for. Without it, whoever is killed in a life that is to end at a point has died there. Must outlive the pool.
  const CrashPoints* points = nullptr;
  /// The orders of actor `index` for its `life` (from 0); `death` is how that life is to end, or null. Called before each
  /// start: from start() first, then from the pool's thread.
  std::function<std::string(std::size_t index, std::size_t life, const Death* death)> orders;
};

/// Someone died of a signal. A death that was not planned does not take the place of one that was: the next life is to end
/// as this one was to.
struct Died {
  std::size_t actor = 0, life = 0;
  std::string point;  // where it was to die; empty: at a random moment, or nobody planned it
  Instant at;
};

struct PoolCounts {
  std::size_t started = 0;
  std::size_t killed_at_points = 0;  // where the plan said
  std::size_t killed_at_random = 0;  // from outside, by the plan or by kill()
  std::size_t died_unplanned = 0;    // of a signal that nobody planned: a bug, or the machine
  std::size_t finished = 0;          // exited with status 0; not started again
  std::size_t failed = 0;            // exited with another status; not started again
};

/// Thread-safe.
class ActorPool {
 public:
  /// Starts all of them. Throws Failure when one cannot be started.
  explicit ActorPool(PoolOptions options);
  ~ActorPool();  // kills them
  ActorPool(const ActorPool&) = delete;
  ActorPool& operator=(const ActorPool&) = delete;

  /// Kills this one now, from outside and beyond the plan. It is started again.
  void kill(std::size_t actor);
  void pause(std::size_t actor);
  void resume(std::size_t actor);

  /// Waits until all have ended by themselves. Until then who dies is started again. False when the time is up first, or
  /// a stop is requested (core/stop.h).
  bool wait_until_finished(Nanos limit);

  /// SIGTERM to all; nobody is started or killed any more. Waits, then kills who is still there: false when there was one.
  bool terminate(Nanos limit);

  PoolCounts counts() const;
  std::vector<Died> deaths() const;
  /// What went wrong first, in words; empty when nothing did. A pool with such a problem gives up starting the actor.
  std::string problem() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::actors
