#pragma once
// The variants, compiled: what waits on sockets knows Poco or Asio, and nobody else needs to.

#include "http_server.h"

namespace blocking_vs_async_io {

namespace served {
void thread_per_connection(const Service& service);
void fixed_blocking_pool(const Service& service);
void async_callbacks(const Service& service);
void async_coroutines(const Service& service);
void async_multi(const Service& service);
void async_happy_path(const Service& service);
void async_but_blocks(const Service& service);
void async_offload(const Service& service);
void multi_process(const Service& service);
/// One worker of multi_process.
void worker(const Service& service);
}  // namespace served

}  // namespace blocking_vs_async_io
