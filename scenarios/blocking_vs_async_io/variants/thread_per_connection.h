#pragma once
// Naive and honest: a thread for each connection, which waits for its peer and for nobody else.
//
// A slow peer costs a thread that sleeps, so nobody else feels it. What it costs is memory, and the number of threads that
// the machine allows: beyond `most_connections` a newcomer is turned away.

#include <atomic>
#include <thread>

#include "blocking.h"

namespace blocking_vs_async_io {

inline void thread_per_connection(const Service& service) {
  auto listener = listen_blocking(service);
  Conversations conversations(service);
  std::atomic<std::size_t> threads{0};
  while (auto socket = next_connection(listener, service)) {
    if (threads >= service.most_connections) continue;  // closes it
    ++threads;
    try {
      std::thread([socket = std::move(*socket), &conversations, &threads]() mutable {
        conversations.converse(std::move(socket));
        --threads;
      }).detach();
    } catch (const std::system_error&) {  // the kernel gives no more
      --threads;
    }
  }
  conversations.hang_up();
  while (threads > 0) std::this_thread::yield();
}

}  // namespace blocking_vs_async_io
