#pragma once
// Adds walls: N processes instead of threads, each with one loop, all on one port (cluster mode). A crash or a leak is one
// process's own, and nothing is shared by accident; what they do share must go through Redis.

#include "workers.h"

namespace blocking_vs_async_io {

/// The parent holds the port without listening on it, so the kernel gives every connection to a worker.
inline void multi_process(const Service& service) {
  const PortHolder held(service.port);
  Workers workers(service, held.port(), std::max<std::size_t>(service.cores, 2));
  service.listening(held.port());
  workers.run_until(service.stop);
}

}  // namespace blocking_vs_async_io
