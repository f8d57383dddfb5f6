#pragma once
// One request over a connection of its own, sent as oddly as a network may deliver it.

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

/// Errors: refused (no) · timeout, closed, protocol (unknown).
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
