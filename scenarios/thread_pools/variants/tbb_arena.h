#pragma once
// The same with oneTBB's task_arena: work-stealing threads that all arenas share. They are made for computing: a task that blocks
// holds up one of them, so the arena is as large as it is asked for, even beyond the cores.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "admission.h"
#include "pool.h"

namespace thread_pools {

class TbbArena : public Pool {
 public:
  explicit TbbArena(PoolSize size)
      : admission_(size.queue_limit),
        threads_(tbb::global_control::max_allowed_parallelism, size.workers + 1),
        arena_(static_cast<int>(size.workers), 0) {}  // no place kept for a thread from outside

  Submitted submit(Task&& task) override {
    if (!admission_.enter()) return Submitted::rejected;
    arena_.enqueue([this, own = Movable(std::move(task))] { admission_.run(own.task); });
    return Submitted::accepted;
  }

  /// Whoever waits in a task_group runs its tasks.
  void run_and_wait(Task child) override {
    tbb::task_group children;
    children.run_and_wait([&child] { run_safely(child); });
  }

  std::vector<Task> shutdown(Shutdown how) override { return admission_.close(how); }

  std::size_t waiting() const override { return admission_.waiting(); }

 private:
  /// oneTBB keeps what it is given as const.
  struct Movable {
    explicit Movable(Task&& own) : task(std::move(own)) {}
    mutable Task task;
  };

  Admission admission_;
  tbb::global_control threads_;
  tbb::task_arena arena_;
};

}  // namespace thread_pools
