#pragma once
// Requests and their answers, one by one, sent as oddly as a network may deliver them.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "net/http.h"

namespace blocking_vs_async_io {

struct Manner {
  std::size_t slice = 0;    // bytes at once; 0: all
  bool half_close = false;  // after the request: nothing more will come, the answer is still wanted
};

/// A connection for one request after the other.
class Connection {
 public:
  /// Throws Failure when this process has no descriptor left.
  Connection(int port, lab::Nanos limit);  // of each wait
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The first one connects. Errors: refused (no) · timeout, closed, protocol (unknown); after one it is of no use.
  lab::Result<lab::net::Response> exchange(std::string_view request, Manner manner = {});

 private:
  bool connect();

  const int port_, socket_;
  bool connected_ = false;
  lab::net::ResponseReader reader_{{.body_bytes = std::uint64_t{1} << 32}};
};

/// The same over a connection of its own.
lab::Result<lab::net::Response> exchange(int port, std::string_view request, Manner manner,
                                         lab::Nanos limit);

/// Sends SIGUSR1 to every thread of the process and of its children, over and over, while this exists.
class Interruptions {
 public:
  explicit Interruptions(int process);
  ~Interruptions();
  std::uint64_t sent() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace blocking_vs_async_io
