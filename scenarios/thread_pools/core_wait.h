#pragma once
// What a thread that takes requests in turn lost to the machine: to other threads on its core, and to whoever took the whole core away.

#include <utility>
#include <vector>

#include "core/clock.h"

namespace thread_pools {

using lab::Nanos;

/// One thread's time, split by what the kernel counts for it. It computes, or it waits for somebody (for a lock, for memory, in a
/// sleep), or it has no core. The first two are what it was made to do; the third is the machine's doing: another thread has the core
/// (the kernel's schedstat), or a hypervisor has (nobody counts that, but it is what is left of the time).
///
/// A meter on another thread would not do: a hypervisor takes one core and leaves the other, and a pool that keeps all cores busy
/// makes such a meter late as well.
class CoreWait {
 public:
  /// Totals of one thread since its beginning.
  struct Counts {
    Nanos computed{};  // by its CPU clock
    Nanos queued{};    // ready to run, without a core: zero where the kernel does not tell
    long waits = 0;    // how often it gave up its core by itself
  };
  static Counts of_this_thread();

  struct Lost {
    Nanos no_core{};
    Nanos waited{};  // for somebody, who had a lock, perhaps, and no core either
  };

  /// `now` and all other times are as the caller counts them.
  CoreWait(Nanos now, Counts counts) : known_{{now, {}}}, last_(counts) {}

  /// Since the last call the thread ran. If it never waited for anybody, what it did not compute it had no core for. If it did,
  /// it is not known for how long, and only what the kernel counted as without a core is taken off.
  void ran(Nanos now, Counts counts);
  /// Since the last call the thread did nothing but sleep, and was to be woken at `until`. What it computed in its sleep all the same (a
  /// signal's handler) is not taken off.
  void slept(Nanos until, Nanos now, Counts counts);

  /// What it lost at most, from then to the last call.
  Lost since(Nanos from) const;

 private:
  void note(Nanos now, Nanos no_core, Nanos waited, Counts counts);

  std::vector<std::pair<Nanos, Lost>> known_;  // when, how much in all
  Counts last_;
};

}  // namespace thread_pools
