#pragma once
// The door to a library's pool that knows no limit and gives nothing back: it counts who waits, turns away who is too many, and
// when the pool closes it stops tasks from running.

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "pool.h"

namespace thread_pools {

/// Thread-safe.
class Admission {
 public:
  explicit Admission(std::size_t limit) : limit_(limit) {}

  /// Whoever got in must come to run().
  bool enter() {
    inside_.fetch_add(1);
    if (!closed_) {
      // Not "add, look, take back": for a moment that would be one too many, and turn away somebody else.
      for (std::size_t waiting = waiting_; waiting < limit_;) {
        if (waiting_.compare_exchange_weak(waiting, waiting + 1)) return true;
      }
    }
    leave();
    return false;
  }

  /// Runs the task, or puts it aside because the pool is closing.
  void run(Task& task) {
    waiting_.fetch_sub(1);
    if (give_back_) {
      const std::lock_guard lock(mutex_);
      aside_.push_back(std::move(task));
    } else {
      run_safely(task);
    }
    leave();
  }

  /// Nobody gets in any more; waits until all who are in have come out. Returns what was put aside.
  std::vector<Task> close(Shutdown how) {
    give_back_ = how == Shutdown::give_back;
    closed_ = true;
    leave();  // the pool itself was the first inside
    std::unique_lock lock(mutex_);
    empty_.wait(lock, [this] { return is_empty_; });
    return std::move(aside_);
  }

  std::size_t waiting() const { return waiting_; }

 private:
  void leave() {
    if (inside_.fetch_sub(1) != 1) return;
    const std::lock_guard lock(mutex_);
    is_empty_ = true;
    empty_.notify_one();  // under the lock: who hears it may destroy this
  }

  const std::size_t limit_;
  std::atomic<std::size_t> waiting_{0}, inside_{1};
  std::atomic<bool> closed_{false}, give_back_{false};
  std::mutex mutex_;
  std::condition_variable empty_;
  std::vector<Task> aside_;  // guarded by mutex_, as is is_empty_
  bool is_empty_ = false;
};

}  // namespace thread_pools
