#pragma once
// Adds the other cores: a loop and a thread for each, which share nothing. Each listens on the same port (SO_REUSEPORT),
// and the kernel deals the connections out by a hash of their addresses, evenly only when there are many.

#include <thread>

#include "variants/async_callbacks.h"

namespace blocking_vs_async_io {

inline void async_multi(const Service& service) {
  std::vector<std::unique_ptr<Loop>> loops;
  int port = service.port;
  for (std::size_t i = 0; i < std::max<std::size_t>(service.cores, 1); ++i) {
    loops.push_back(std::make_unique<Loop>(service, never_waiting));
    loops.back()->listen(port);  // the first may let the kernel choose
    port = loops.back()->port();
  }
  service.listening(port);
  std::vector<std::jthread> threads;
  for (auto& loop : loops) threads.emplace_back([&loop] { serve_callbacks(*loop); });
}

}  // namespace blocking_vs_async_io
