#include "observed_store.h"

#include <thread>

#include "harness/load.h"

namespace cache_aside {
namespace {

thread_local lab::Nanos no_core_so_far{};

}  // namespace

lab::Nanos ObservedStore::no_core_of_this_thread() {
  return no_core_so_far;
}

Result<Product> ObservedStore::find(ProductId id) {
  const bool recorded = recording_.load(std::memory_order_relaxed);
  const lab::Instant began = lab::now();
  const lab::Nanos waited = recorded ? lab::harness::waited_for_core() : lab::Nanos{};
  if (const auto extra = extra_latency_.load(std::memory_order_relaxed); extra.count() > 0)
    lab::sleep_for(extra);
  auto product = inner_.find(id);
  if (recorded) {
    const lab::Nanos no_core = lab::harness::waited_for_core() - waited;
    no_core_so_far += no_core;
    const std::lock_guard lock(mutex_);
    recorded_.push_back({id, began, lab::now(), no_core});
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
