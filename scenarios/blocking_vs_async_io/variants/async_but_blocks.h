#pragma once
// The classic mistake: one call in the handler that waits. It was written for threads, it works in every test with one
// client, and while it waits, the loop does nothing for anybody.

#include <thread>

#include "variants/async_callbacks.h"

namespace blocking_vs_async_io {

inline Loop::Sources waiting_on_the_loop(asio::io_context& context, const Service& service) {
  Loop::Sources sources = never_waiting(context, service);
  sources.slow = [](const std::function<void()>& done) {
    std::this_thread::sleep_for(kSlowCall);  // a blocking driver, a file, a lock, a DNS lookup
    done();
  };
  return sources;
}

inline void async_but_blocks(const Service& service) {
  Loop loop(service, waiting_on_the_loop);
  loop.listen();
  service.listening(loop.port());
  serve_callbacks(loop);
}

}  // namespace blocking_vs_async_io
