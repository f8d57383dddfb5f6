#pragma once
// The load generator. Closed loop: N clients, each as fast as answers come; shows capacity. Open
// loop: operations are due at planned times whether or not the system keeps up, and latency counts
// from the plan, so that a stall is not hidden (the "coordinated omission" of closed loops;
// Schroeder et al. 2006, Tene 2013).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/clock.h"
#include "core/random.h"
#include "harness/history.h"

namespace lab::harness {

/// Does one operation and says what came of it: kind, key, value, aux and outcome. The load
/// generator fills in the times and the client. Called from one thread per client at a time.
using Operate = std::function<Operation(std::uint32_t client, Random& random)>;

struct ClosedLoad {
  std::uint32_t clients = 16;
  Nanos duration{};
  std::uint64_t seed = 1;
};

struct OpenLoad {
  double operations_per_second = 1000;  // Poisson arrivals, from the seed
  std::uint32_t in_flight =
      64;  // at most so many at once; when all wait, planned starts fall behind and it shows
  Nanos duration{};
  std::uint64_t seed = 1;
  /// How long after the plan's end a backlog may still be worked off; what has not started by then
  /// never starts and is recorded as `fail`.
  Nanos patience = std::chrono::seconds(10);
};

/// Both return when every client has had its last answer, and stop early when a stop is requested
/// (core/stop.h). The history's zero is `zero`.
History closed_loop(Instant zero, const ClosedLoad& load, const Operate& operate);
History open_loop(Instant zero, const OpenLoad& load, const Operate& operate);

/// What recording one operation costs, in nanoseconds: a closed loop over an operation that does
/// nothing.
double recording_cost_ns();

/// How long the calling thread has been ready to run without a core, since its beginning: the kernel's own count, the second
/// number of its schedstat. What a hypervisor takes away is not in it. Zero where the kernel does not tell. A system call.
Nanos waited_for_core();
/// The same of a thread by its number, or of a process's first one. Nothing where it is gone or the kernel does not tell.
std::optional<Nanos> waited_for_core(int thread);

/// The machine's own hiccups: a thread that sleeps a millisecond at a time and notes how late it is
/// woken (the idea of jHiccup, Tene). A latency bound may not accuse a variant of what the
/// scheduler did.
class HiccupMeter {
 public:
  HiccupMeter();
  ~HiccupMeter();
  HiccupMeter(const HiccupMeter&) = delete;
  HiccupMeter& operator=(const HiccupMeter&) = delete;

  /// The latest wake-up inside the window so far.
  Nanos worst(Instant begin, Instant end) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::harness
