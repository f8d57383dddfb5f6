#pragma once
// Renews the leases of the jobs in hand while they are worked on, so that a job may take longer than its lease. It
// stops when the process stops: that is what a lease is for.

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "queue/job_queue.h"

namespace queue_retries {

class Heartbeat {
 public:
  /// Renews when a third of the lease is over, so that two renewals may be lost.
  static constexpr lab::Nanos every(lab::Nanos lease) { return lease / 3; }

  Heartbeat(lab::queue::JobQueue& queue, lab::Nanos lease)
      : queue_(queue), lease_(lease), thread_([this] { beat(); }) {}

  ~Heartbeat() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// From now on these and no others. A job that is done is held until the queue was told: in a batch others come first.
  void hold(const std::vector<lab::queue::LeasedJob>& jobs) {
    const std::lock_guard lock(mutex_);
    held_.clear();
    for (const auto& job : jobs) held_.push_back(job.receipt());
  }

  void let_go(const std::string& id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(held_, [&](const auto& receipt) { return receipt.id == id; });
  }

 private:
  void beat() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, every(lease_), [&] { return stopping_; })) {
      const auto held = held_;
      if (held.empty()) continue;
      lock.unlock();
      (void)queue_.renew(held, lease_);  // what cannot be renewed is rejected when it is completed
      lock.lock();
    }
  }

  lab::queue::JobQueue& queue_;
  const lab::Nanos lease_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<lab::queue::Receipt> held_;  // guarded by mutex_, as is the next one
  bool stopping_ = false;
  std::thread thread_;  // last
};

}  // namespace queue_retries
