#pragma once
// What became of each task, as its owner and the thread that ran it saw it. Written inside the process that has the pool; what
// happened there is told to the run as plain data (evidence.h).

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "evidence.h"
#include "pool.h"

namespace thread_pools {

/// Thread-safe.
class TaskLog {
 public:
  explicit TaskLog(lab::Instant zero) : zero_(zero) {}

  /// Submits a task that does `work`, and keeps books of it. Returns whether it was accepted.
  bool submit(Pool& pool, std::function<void()> work);

  /// What a pool gave back.
  void given_back(std::vector<Task> tasks);

  /// Each task that is accepted, begins or ends counts one: while this moves, somebody works.
  std::uint64_t progress() const { return progress_.load(); }
  std::size_t accepted() const { return accepted_.load(); }
  std::size_t running() const { return began_.load() - ended_.load(); }
  std::size_t unfinished() const { return accepted_.load() - ended_.load() - back_.load(); }

  /// Returns when no accepted task is left that has neither ended nor come back.
  void wait_until_settled();
  /// The same with a limit; false when the time is up first.
  bool wait_until_settled(lab::Nanos limit);

  lab::Nanos since_zero() const { return lab::now() - zero_; }
  std::vector<TaskTrace> traces() const;

 private:
  struct Record {
    std::atomic<std::int64_t> invoked{kNever}, returned{kNever}, began{kNever}, ended{kNever};
    std::atomic<std::uint32_t> runs{0}, failures{0};
    std::atomic<bool> accepted{false}, threw{false}, given_back{false};
    std::function<void()> work;
  };

  Record& add();
  void run(Record& record);
  void settle(std::atomic<std::size_t>& count);
  bool settled() const { return accepted_.load() <= ended_.load() + back_.load(); }

  const lab::Instant zero_;
  mutable std::mutex mutex_;
  std::condition_variable settled_;
  std::deque<Record> records_;  // guarded by mutex_; a record stays where it is
  std::atomic<std::uint64_t> progress_{0};
  std::atomic<std::size_t> accepted_{0}, began_{0}, ended_{0}, back_{0};
};

}  // namespace thread_pools
