#pragma once
// The load side of an HTTP server: keep-alive connections on one thread, every answer read whole and looked at. A closed
// loop (each connection asks again when it has its answer) or an open one (a rate, by a plan from the seed; latency
// counts from the planned moment, so a stall is not hidden).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/clock.h"
#include "harness/histogram.h"
#include "net/http.h"

namespace lab::net {

struct HttpLoad {
  int port = 0;  // of 127.0.0.1
  std::size_t connections = 64;
  Nanos warm_up{};  // not counted
  Nanos duration = 1s;
  std::optional<double> requests_per_second;  // of an open loop, over all connections; none: closed
  std::uint64_t seed = 1;                     // of the open loop's plan (Poisson)
  Nanos timeout = 5s;      // of one answer; its connection is then closed and opened anew
  bool keep_alive = true;  // false: a connection for each request

  /// The bytes of request number n (from 0). Called on the loop's thread; a reference that stays valid until the next call.
  std::function<const std::string&(std::uint64_t number)> request;
  /// What is wrong with its answer; empty when nothing is. None: status 200 is right.
  std::function<std::string(std::uint64_t number, const Response&)> verify;
};

/// Counts are of requests planned after the warm-up.
struct HttpLoadResult {
  std::uint64_t completed = 0;  // answered, and rightly
  std::uint64_t wrong = 0;      // answered, and not what was asked for
  std::uint64_t timed_out = 0;
  std::uint64_t cut = 0;          // the connection was closed or reset within a request
  std::uint64_t unconnected = 0;  // no connection could be made
  /// Still under way, or waiting for a connection, when the time was over; those that were asked in the warm-up, too.
  std::uint64_t unanswered = 0;
  /// How long they had waited by then, of the time that counts: each is a latency at least that long.
  harness::Histogram unanswered_waited;
  std::string first_problem;   // of whichever kind
  harness::Histogram latency;  // of the completed ones
  Nanos took{};

  std::uint64_t failed() const { return wrong + timed_out + cut + unconnected; }
  double per_second() const;
};

/// Returns when the time is over; answers under way are not waited for, but counted. Stops early on a stop request. Throws Failure only
/// when it lacks descriptors of its own.
HttpLoadResult run_http_load(const HttpLoad& load);

/// "GET /products/7 HTTP/1.1", with Host and, when there is a body, Content-Length.
std::string request_bytes(std::string_view method, std::string_view target,
                          std::string_view body = {}, bool keep_alive = true);

}  // namespace lab::net
