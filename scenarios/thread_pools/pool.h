#pragma once
// The subject: a pool of threads as an API server sees it.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "task.h"

namespace thread_pools {

struct PoolSize {
  std::size_t workers = 2;
  std::size_t queue_limit = 64;  // tasks that may wait, beside those that run
};

enum class Submitted { accepted, rejected };

enum class Shutdown {
  drain,      // everything that was accepted runs first
  give_back,  // what has not begun is returned
};

/// Promises of every pool:
///   - An accepted task runs exactly once, or is given back at shutdown; a rejected one never runs.
///   - At most `workers` tasks run at once, and at most `queue_limit` more are unfinished. One is rejected only while at least
///     `queue_limit` are unfinished, or after shutdown began. submit() does not wait for room.
///   - A task waits for a thread only while all workers are busy.
///   - What a task throws goes to its owner (Task::fail), and its worker lives on.
///   - When shutdown() has returned, nothing runs and nothing will.
class Pool {
 public:
  virtual ~Pool() = default;  // only after shutdown()

  /// From any thread, a task's too. A rejected task stays with the caller, untouched.
  virtual Submitted submit(Task&& task) = 0;

  /// From inside a task of this pool: when it returns, `child` has run. It asks for no room in the queue.
  virtual void run_and_wait(Task child) = 0;

  /// Once. submit() may be called meanwhile, and is rejected from some moment on. Returns what was accepted and did not run:
  /// nothing after a drain.
  virtual std::vector<Task> shutdown(Shutdown how) = 0;

  /// How many tasks wait now: a figure for a dashboard, stale when it is read.
  virtual std::size_t waiting() const = 0;
};

}  // namespace thread_pools
