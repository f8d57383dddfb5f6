#pragma once
// Adds a library: Boost.Asio's thread_pool, which has queue, threads and shutdown, and knows no limit. The limit is a count beside
// it; what is to be given back at shutdown, the pool's threads put aside instead of running it.

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "admission.h"
#include "pool.h"

namespace thread_pools {

class AsioThreadPool : public Pool {
 public:
  explicit AsioThreadPool(PoolSize size) : admission_(size.queue_limit), threads_(size.workers) {}

  Submitted submit(Task&& task) override {
    if (!admission_.enter()) return Submitted::rejected;
    boost::asio::post(threads_, [this, own = std::move(task)]() mutable { admission_.run(own); });
    return Submitted::accepted;
  }

  /// dispatch: at once, since this is one of the pool's threads. post() would queue it.
  void run_and_wait(Task child) override {
    boost::asio::dispatch(threads_, [&child] { run_safely(child); });
  }

  std::vector<Task> shutdown(Shutdown how) override {
    auto left = admission_.close(how);
    threads_.join();
    return left;
  }

  std::size_t waiting() const override { return admission_.waiting(); }

 private:
  Admission admission_;
  boost::asio::thread_pool threads_;  // last: its threads use the rest
};

}  // namespace thread_pools
