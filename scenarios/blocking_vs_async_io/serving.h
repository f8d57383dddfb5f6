#pragma once
// How a variant becomes a process: its orders, and what it is given.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http_server.h"

namespace blocking_vs_async_io {

struct Recipe {
  std::string variant;
  Serve serve;
};

/// What the process of a variant is told.
struct ServeOrders {
  std::string variant;
  int port = 0;
  std::size_t threads = 8;
  std::size_t cores = 1;
  std::size_t most_connections = 2'000;
  TimeLimits limits;
  std::optional<lab::infra::RedisAddress> redis;
  std::uint64_t seed = 7;          // of the products
  std::optional<int> shared_port;  // of a worker: one that others listen on, too
};
std::string to_json(const ServeOrders& orders);
ServeOrders from_json(const std::string& text);

/// The same for a worker of that service's.
std::string orders_of_worker(const Service& service, int port);

inline constexpr std::int64_t kProducts = 1'000;

/// main() of the roles "serve" and "worker"; `worker` serves on a port that it shares.
int serve_main(const std::vector<Recipe>& recipes);
int worker_main(const Serve& worker);

}  // namespace blocking_vs_async_io
