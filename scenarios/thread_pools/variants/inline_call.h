#pragma once
// The control: no pool at all. Whoever has a task does it, and while it does, it does nothing else.

#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "pool.h"

namespace thread_pools {

class InlineCall : public Pool {
 public:
  explicit InlineCall(PoolSize) {}

  Submitted submit(Task&& task) override {
    const std::shared_lock running(open_);
    if (closed_) return Submitted::rejected;
    Task own = std::move(task);
    run_safely(own);  // here, on the caller's thread
    return Submitted::accepted;
  }

  void run_and_wait(Task child) override { run_safely(child); }

  std::vector<Task> shutdown(Shutdown) override {
    const std::unique_lock nobody_runs(open_);
    closed_ = true;
    return {};
  }

  std::size_t waiting() const override { return 0; }

 private:
  std::shared_mutex open_;
  bool closed_ = false;  // guarded by open_
};

}  // namespace thread_pools
