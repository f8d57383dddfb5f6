#pragma once
// Loads keys on a thread of its own, each key at most once at a time.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "catalog.h"

namespace cache_aside {

/// Thread-safe. What still waits when it is destroyed is not loaded.
class BackgroundLoader {
 public:
  explicit BackgroundLoader(std::function<void(ProductId)> load)
      : load_(std::move(load)), thread_([this](std::stop_token stop) { work(stop); }) {}

  /// Nothing happens when the key already waits or is being loaded.
  void request(ProductId id) {
    const std::lock_guard lock(mutex_);
    if (!pending_.insert(id).second) return;
    waiting_.push_back(id);
    wake_.notify_one();
  }

 private:
  void work(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [this] { return !waiting_.empty(); }) && !stop.stop_requested()) {
      const ProductId id = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      load_(id);
      lock.lock();
      pending_.erase(id);
    }
  }

  std::function<void(ProductId)> load_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<ProductId> waiting_;
  std::unordered_set<ProductId> pending_;
  std::jthread thread_;  // last: it starts when everything it uses is there
};

}  // namespace cache_aside
