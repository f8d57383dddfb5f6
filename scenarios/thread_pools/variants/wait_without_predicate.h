#pragma once
// Adds a fixed number of workers and a bounded queue, by hand, and with the classic mistake: a worker waits for the bell without
// looking first whether there is work. A bell that rings while all workers are busy is heard by nobody.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "pool.h"

namespace thread_pools {

class WaitWithoutPredicate : public Pool {
 public:
  explicit WaitWithoutPredicate(PoolSize size) : limit_(size.queue_limit) {
    for (std::size_t i = 0; i < size.workers; ++i) workers_.emplace_back([this] { work(); });
  }

  Submitted submit(Task&& task) override {
    const std::lock_guard lock(mutex_);
    if (closing_ || queue_.size() >= limit_) return Submitted::rejected;
    queue_.push_back(std::move(task));
    bell_.notify_one();
    return Submitted::accepted;
  }

  void run_and_wait(Task child) override { run_safely(child); }

  std::vector<Task> shutdown(Shutdown how) override {
    std::vector<Task> left;
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      if (how == Shutdown::give_back) {
        for (auto& task : queue_) left.push_back(std::move(task));
        queue_.clear();
      }
      bell_.notify_all();
    }
    for (auto& worker : workers_) worker.join();
    return left;
  }

  std::size_t waiting() const override {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (!closing_ || !queue_.empty()) {
      bell_.wait(lock);  // no predicate: what rang before is missed
      if (queue_.empty()) continue;
      Task task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      run_safely(task);
      lock.lock();
    }
  }

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable bell_;
  std::deque<Task> queue_;  // guarded by mutex_, as is closing_
  bool closing_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace thread_pools
