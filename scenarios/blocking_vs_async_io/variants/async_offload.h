#pragma once
// Mends it without rewriting the call: it still blocks, on a thread of a pool, and its answer comes back to the loop.
//
// The pool is a bound again: one more slow call than it has threads waits in its queue, but only slow calls do.

#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "variants/async_callbacks.h"

namespace blocking_vs_async_io {

inline void async_offload(const Service& service) {
  asio::thread_pool pool(service.threads);
  const auto offloaded = [&pool](asio::io_context& context, const Service& of) {
    Loop::Sources sources = never_waiting(context, of);
    sources.slow = [&pool, &context](std::function<void()> done) {
      asio::post(pool, [done = std::move(done), home = asio::make_work_guard(context)]() mutable {
        std::this_thread::sleep_for(kSlowCall);  // the same call
        asio::post(home.get_executor(), std::move(done));
      });
    };
    return sources;
  };
  Loop loop(service, offloaded);
  loop.listen();
  service.listening(loop.port());
  serve_callbacks(loop);
  pool.join();  // before the loop goes, to which the last calls come home
}

}  // namespace blocking_vs_async_io
