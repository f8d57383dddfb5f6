#include "observed_store.h"

#include <thread>

namespace cache_aside {

Result<Product> ObservedStore::find(ProductId id) {
  const lab::Instant began = lab::now();
  if (const auto extra = extra_latency_.load(std::memory_order_relaxed); extra.count() > 0)
    lab::sleep_for(extra);
  auto product = inner_.find(id);
  if (recording_.load(std::memory_order_relaxed)) {
    const std::lock_guard lock(mutex_);
    recorded_.push_back({id, began, lab::now()});
  }
  if (barrier_set_.load()) wait_at_barrier(id);
  return product;
}

void ObservedStore::start_recording() {
  const std::lock_guard lock(mutex_);
  recorded_.clear();
  recording_ = true;
}

std::vector<StoreRead> ObservedStore::stop_recording() {
  const std::lock_guard lock(mutex_);
  recording_ = false;
  return std::move(recorded_);
}

void ObservedStore::hold_next_reader_of(ProductId id) {
  const std::lock_guard lock(mutex_);
  wanted_ = id;
  held_ = false;
  barrier_set_ = true;
}

void ObservedStore::wait_at_barrier(ProductId id) {
  std::unique_lock lock(mutex_);
  if (wanted_ != id || held_) return;
  held_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !held_; });
}

bool ObservedStore::wait_until_held(lab::Nanos limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return held_; });
}

void ObservedStore::release() {
  const std::lock_guard lock(mutex_);
  barrier_set_ = false;
  wanted_.reset();
  held_ = false;
  changed_.notify_all();
}

}  // namespace cache_aside
