#pragma once
// Ends a script that hangs, having said what it hangs in.

#include <functional>
#include <string>
#include <thread>

#include "harness/load.h"
#include "task_log.h"

namespace thread_pools {

/// A thread that looks whether anything moves. A machine that was late itself accuses nobody: the time counts anew, and as long
/// as a thread only waits for a core, it goes on, up to ten times the patience.
class Watchdog {
 public:
  struct Options {
    Nanos patience{};                     // without any progress
    std::function<void()> bell;           // submits one more task; may block
    std::function<void(Stuck)> on_stuck;  // on the watchdog's thread, at most once
  };
  Watchdog(const TaskLog& log, Options options);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// What the script is at from now on, for the report. Counts as progress, as does alive().
  void now_doing(std::string what);
  void alive() { ticks_.fetch_add(1); }

  /// By how much threads of this process were woken late since the watchdog began.
  Nanos hiccup() const { return meter_.worst(began_, lab::now()); }

 private:
  void watch(const std::stop_token& stopping);
  std::uint64_t progress() const { return log_.progress() + ticks_.load(); }
  Stuck describe(lab::Instant since) const;
  std::optional<Nanos> ring() const;

  const TaskLog& log_;
  const Options options_;
  const lab::Instant began_ = lab::now();
  lab::harness::HiccupMeter meter_;
  std::atomic<std::uint64_t> ticks_{0};
  mutable std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::string doing_;    // guarded by mutex_
  std::jthread thread_;  // last
};

}  // namespace thread_pools
