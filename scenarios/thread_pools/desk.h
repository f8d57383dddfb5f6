#pragma once
// Where a work-stealing pool keeps what has not begun: one common queue, and a desk for each worker with what it has taken from
// there. What lies on a desk is for everyone: an idle worker takes half of it.

#include <algorithm>
#include <atomic>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <vector>

#include "task.h"

namespace thread_pools {

/// Thread-safe. On a cache line of its own.
class alignas(64) Desk {
 public:
  std::optional<Task> take() {
    if (empty()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return std::nullopt;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    count_.store(tasks_.size(), std::memory_order_release);
    return task;
  }

  /// The first `count` of `from`.
  void put(std::deque<Task>& from, std::size_t count) {
    if (count == 0) return;
    const std::lock_guard lock(mutex_);
    for (; count > 0; --count) {
      tasks_.push_back(std::move(from.front()));
      from.pop_front();
    }
    count_.store(tasks_.size(), std::memory_order_release);
  }

  /// The last `count`, or as many as there still are, in their order at the end of `to`.
  void give(std::deque<Task>& to, std::size_t count) {
    if (count == 0) return;
    const std::lock_guard lock(mutex_);
    const auto first = tasks_.end() - static_cast<std::ptrdiff_t>(std::min(count, tasks_.size()));
    to.insert(to.end(), std::make_move_iterator(first), std::make_move_iterator(tasks_.end()));
    tasks_.erase(first, tasks_.end());
    count_.store(tasks_.size(), std::memory_order_release);
  }

  std::size_t size() const { return count_.load(std::memory_order_acquire); }
  bool empty() const { return size() == 0; }

 private:
  std::mutex mutex_;
  std::deque<Task> tasks_;
  std::atomic<std::size_t> count_{0};
};

/// Not thread-safe but for what a worker takes from its own desk: the pool's lock guards the rest.
class Desks {
 public:
  static constexpr std::size_t kBatch = 64;

  explicit Desks(std::size_t workers) : desks_(workers) {}
  Desk& of(std::size_t worker) { return desks_[worker]; }

  void add(Task&& task) { queue_.push_back(std::move(task)); }

  /// A share of the queue, or half of what somebody else has not begun. False when there is nothing.
  bool fill(Desk& own) {
    own.put(queue_, std::min(kBatch, (queue_.size() + 1) / 2));
    for (auto& desk : desks_) {
      if (!own.empty()) return true;
      std::deque<Task> stolen;
      desk.give(stolen, (desk.size() + 1) / 2);
      own.put(stolen, stolen.size());
    }
    return !own.empty();
  }

  std::vector<Task> take_all() {
    for (auto& desk : desks_) desk.give(queue_, desk.size());
    std::deque<Task> all = std::exchange(queue_, {});
    return {std::make_move_iterator(all.begin()), std::make_move_iterator(all.end())};
  }

  std::size_t size() const {
    std::size_t count = queue_.size();
    for (const auto& desk : desks_) count += desk.size();
    return count;
  }

  /// size() >= limit; the desks are asked only when it may matter, for they are where the workers are busy.
  bool holds(std::size_t limit) const {
    return queue_.size() + kBatch * desks_.size() >= limit && size() >= limit;
  }

 private:
  std::deque<Task> queue_;
  std::vector<Desk> desks_;
};

}  // namespace thread_pools
