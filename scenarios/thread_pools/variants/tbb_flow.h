#pragma once
// The same as a graph that messages flow through: a limiter, which turns away who is too many, then a node that runs so many tasks
// at once; what it has done opens the limiter for the next. More nodes would make it a pipeline.

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <memory>
#include <mutex>
#include <shared_mutex>

#include "pool.h"

namespace thread_pools {

class TbbFlow : public Pool {
 public:
  explicit TbbFlow(PoolSize size)
      : threads_(tbb::global_control::max_allowed_parallelism, size.workers + 1),
        arena_(static_cast<int>(size.workers), 0) {
    // A graph works in the arena that it was made in.
    arena_.execute([&] { pipeline_ = std::make_unique<Pipeline>(*this, size); });
  }

  Submitted submit(Task&& task) override {
    const std::shared_lock entering(door_);
    if (closed_) return Submitted::rejected;
    const auto message = std::make_shared<Task>(std::move(task));  // messages are copied
    if (pipeline_->limiter.try_put(message)) return Submitted::accepted;
    task = std::move(*message);
    return Submitted::rejected;
  }

  void run_and_wait(Task child) override { run_safely(child); }

  std::vector<Task> shutdown(Shutdown how) override {
    give_back_ = how == Shutdown::give_back;
    {
      const std::unique_lock nobody_enters(door_);
      closed_ = true;
    }
    arena_.execute([&] { pipeline_->graph.wait_for_all(); });
    return std::move(aside_);
  }

  std::size_t waiting() const override { return 0; }  // a limiter does not tell its count

 private:
  using Message = std::shared_ptr<Task>;

  struct Pipeline {
    Pipeline(TbbFlow& pool, PoolSize size)
        : limiter(graph, size.queue_limit + size.workers),
          worker(graph, size.workers, [&pool](const Message& message) { pool.work(*message); }) {
      tbb::flow::make_edge(limiter, worker);
      tbb::flow::make_edge(worker, limiter.decrementer());
    }
    tbb::flow::graph graph;
    tbb::flow::limiter_node<Message> limiter;
    tbb::flow::function_node<Message> worker;
  };

  void work(Task& task) {
    if (!give_back_) return run_safely(task);
    const std::lock_guard lock(aside_mutex_);
    aside_.push_back(std::move(task));
  }

  tbb::global_control threads_;
  tbb::task_arena arena_;
  std::unique_ptr<Pipeline> pipeline_;
  std::shared_mutex door_;
  bool closed_ = false;  // guarded by door_
  std::atomic<bool> give_back_{false};
  std::mutex aside_mutex_;
  std::vector<Task> aside_;  // guarded by aside_mutex_
};

}  // namespace thread_pools
