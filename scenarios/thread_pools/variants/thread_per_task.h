#pragma once
// Adds threads: each task gets one of its own, and the caller is free at once. Naive: nobody counts the threads, nobody waits
// for them, nobody catches what they throw.

#include <atomic>
#include <thread>

#include "pool.h"

namespace thread_pools {

class ThreadPerTask : public Pool {
 public:
  explicit ThreadPerTask(PoolSize) {}

  Submitted submit(Task&& task) override {
    if (closed_) return Submitted::rejected;
    std::thread([own = std::move(task)]() mutable { own.run(); }).detach();  // and forgotten
    return Submitted::accepted;
  }

  void run_and_wait(Task child) override {
    std::thread([&child] { child.run(); }).join();
  }

  std::vector<Task> shutdown(Shutdown) override {
    closed_ = true;  // the threads go on
    return {};
  }

  std::size_t waiting() const override { return 0; }

 private:
  std::atomic<bool> closed_{false};
};

}  // namespace thread_pools
