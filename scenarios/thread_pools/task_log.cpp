#include "task_log.h"

#include <utility>

namespace thread_pools {
namespace {

/// A task that came back is a closed box: it is asked who it is by running it so.
thread_local bool naming_only = false;

}  // namespace

TaskLog::Record& TaskLog::add() {
  const std::lock_guard lock(mutex_);
  return records_.emplace_back();
}

bool TaskLog::submit(Pool& pool, std::function<void()> work) {
  Record& record = add();
  record.work = std::move(work);
  Task task([this, &record] { run(record); },
            [this, &record](std::exception_ptr) {
              record.failures.fetch_add(1);
              settle(ended_);
            });
  record.invoked = since_zero().count();
  const bool accepted = pool.submit(std::move(task)) == Submitted::accepted;
  record.returned = since_zero().count();
  record.accepted = accepted;
  if (accepted) {
    settle(accepted_);
    progress_.fetch_add(1);
  }
  return accepted;
}

void TaskLog::run(Record& record) {
  if (naming_only) {
    record.given_back = true;
    return;
  }
  record.began = since_zero().count();
  record.runs.fetch_add(1);
  began_.fetch_add(1);
  progress_.fetch_add(1);
  try {
    record.work();
  } catch (...) {
    record.threw = true;
    record.ended = since_zero().count();
    progress_.fetch_add(1);
    throw;
  }
  record.ended = since_zero().count();
  progress_.fetch_add(1);
  settle(ended_);
}

void TaskLog::settle(std::atomic<std::size_t>& count) {
  const std::lock_guard lock(mutex_);
  count.fetch_add(1);
  if (settled()) settled_.notify_all();
}

void TaskLog::given_back(std::vector<Task> tasks) {
  naming_only = true;
  for (auto& task : tasks) task.run();
  naming_only = false;
  for (std::size_t i = 0; i < tasks.size(); ++i) settle(back_);
}

void TaskLog::wait_until_settled() {
  std::unique_lock lock(mutex_);
  settled_.wait(lock, [this] { return settled(); });
}

bool TaskLog::wait_until_settled(lab::Nanos limit) {
  std::unique_lock lock(mutex_);
  return settled_.wait_for(lock, limit, [this] { return settled(); });
}

std::vector<TaskTrace> TaskLog::traces() const {
  const std::lock_guard lock(mutex_);
  std::vector<TaskTrace> traces;
  traces.reserve(records_.size());
  for (const auto& record : records_) {
    traces.push_back({.invoked = record.invoked,
                      .returned = record.returned,
                      .began = record.began,
                      .ended = record.ended,
                      .runs = record.runs,
                      .failures = record.failures,
                      .accepted = record.accepted,
                      .threw = record.threw,
                      .given_back = record.given_back});
  }
  return traces;
}

}  // namespace thread_pools
