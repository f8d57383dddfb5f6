#pragma once
// The subject: a server on a socket. A variant is a function that listens, serves and returns when it is told to stop;
// what it answers is not its business (net/http_api.h), how it waits is.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "domain/product.h"
#include "infra/redis_client.h"
#include "net/http.h"
#include "net/http_api.h"

namespace blocking_vs_async_io {

using lab::Nanos;
using lab::net::ApiCounters;
using lab::net::HttpApi;
using lab::net::HttpLimits;
using lab::net::ProductSource;
using lab::net::Request;
using lab::net::RequestReader;
using lab::net::Response;
using lab::net::SlowCall;

/// The same for all variants. What takes longer is closed; up to kLookEvery more may pass before somebody looks.
struct TimeLimits {
  Nanos request = std::chrono::seconds(10);  // from a request's first byte to its last
  Nanos idle = std::chrono::seconds(60);     // between two requests
  Nanos send = std::chrono::seconds(2);      // for an answer to be taken
};
inline constexpr Nanos kLookEvery = std::chrono::milliseconds(50);
inline constexpr int kBacklog = 4096;
inline constexpr Nanos kWithoutDescriptors =
    std::chrono::milliseconds(10);  // until one may have become free

/// How long the service behind /report takes.
inline constexpr Nanos kSlowCall = std::chrono::milliseconds(40);

/// What every variant is given.
struct Service {
  int port = 0;                             // of 127.0.0.1; 0: the kernel chooses
  std::function<void(int port)> listening;  // to be called once connections are accepted
  int stop = -1;                            // readable when it is to return
  std::size_t threads = 8;                  // of a pool
  std::size_t most_connections = 2'000;     // of a server with a thread for each
  std::size_t cores = 1;                    // that it may use
  TimeLimits limits;
  ApiCounters& counters;
  std::optional<lab::infra::RedisAddress> redis;  // none: products come from memory
  const std::vector<lab::domain::Product>& shop;
  /// The handler of threads that may block: its `done` is called before answer() returns.
  HttpApi& blocking;
  const struct ServeOrders& orders;  // for those who start more processes
};

/// A variant serves until service.stop is readable. Throws lab::Failure when it cannot listen. When it has no descriptor
/// left it goes on and accepts again later. A request's answer is sent before the next request is looked at, so a peer that
/// does not read is not read from.
using Serve = std::function<void(const Service&)>;

}  // namespace blocking_vs_async_io
