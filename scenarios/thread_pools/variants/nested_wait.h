#pragma once
// The same pool, asked wrongly: a task that needs another one queues it and waits for it, in its worker. When all workers wait so,
// nobody is left to run what they wait for.

#include "variants/mutex_queue_pool.h"

namespace thread_pools {

class NestedWait : public MutexQueuePool {
 public:
  using MutexQueuePool::MutexQueuePool;

  void run_and_wait(Task child) override {
    auto [task, done] = with_future([&child] { run_safely(child); });
    while (submit(std::move(task)) == Submitted::rejected) std::this_thread::yield();
    done.wait();  // occupies the worker that should run it
  }
};

}  // namespace thread_pools
