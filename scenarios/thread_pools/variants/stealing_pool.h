#pragma once
// mutex_queue_pool with three ideas against what a task costs: a worker takes a batch at once, wakes another only when there is more
// than it can begin, and one wake-up is under way at a time. So that a long task holds up nobody behind it in its batch, an idle
// worker steals half of the batch (Blumofe and Leiserson 1999; Go's scheduler is built so).

#include <condition_variable>
#include <mutex>
#include <thread>

#include "desk.h"
#include "pool.h"

namespace thread_pools {

class StealingPool : public Pool {
 public:
  explicit StealingPool(PoolSize size) : limit_(size.queue_limit), desks_(size.workers) {
    for (std::size_t i = 0; i < size.workers; ++i)
      workers_.emplace_back([this, i] { work(desks_.of(i)); });
  }

  Submitted submit(Task&& task) override {
    std::unique_lock lock(mutex_);
    if (closing_ || desks_.holds(limit_)) return Submitted::rejected;
    desks_.add(std::move(task));
    wake_one(lock);
    return Submitted::accepted;
  }

  void run_and_wait(Task child) override { run_safely(child); }

  std::vector<Task> shutdown(Shutdown how) override {
    std::vector<Task> left;
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      if (how == Shutdown::give_back) left = desks_.take_all();
    }
    bell_.notify_all();
    for (auto& worker : workers_) worker.join();
    return left;
  }

  std::size_t waiting() const override {
    const std::lock_guard lock(mutex_);
    return desks_.size();
  }

 private:
  void work(Desk& own) {
    for (;;) {
      while (auto task = own.take()) run_safely(*task);
      std::unique_lock lock(mutex_);
      while (!desks_.fill(own)) {
        if (closing_) return;
        ++asleep_;
        bell_.wait(lock);
        --asleep_;
        waking_ = false;
      }
      if (desks_.size() > 1) wake_one(lock);
    }
  }

  void wake_one(std::unique_lock<std::mutex>& lock) {
    if (asleep_ == 0 || std::exchange(waking_, true)) return;
    lock.unlock();
    bell_.notify_one();
  }

  const std::size_t limit_;
  mutable std::mutex mutex_;  // guards the rest, but for what a worker takes from its desk
  std::condition_variable bell_;
  std::size_t asleep_ = 0;
  bool waking_ = false, closing_ = false;
  Desks desks_;
  std::vector<std::thread> workers_;
};

}  // namespace thread_pools
