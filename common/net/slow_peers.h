#pragma once
// Clients that a server must survive: some send a request a byte at a time, some connect and say nothing, some ask and
// never read. One thread for all of them, so that they cost the machine little.

#include <cstdint>
#include <memory>

#include "core/clock.h"

namespace lab::net {

struct SlowPeersOptions {
  int port = 0;  // of 127.0.0.1
  std::size_t peers = 8;
  enum class Manner {
    dribble,     // a byte of a request's head every `between_bytes`, without end
    silent,      // nothing at all
    never_read,  // one echo request after the other, as fast as they are taken, and no answer is read
  } manner = Manner::dribble;
  Nanos between_bytes = 100ms;
  std::size_t body_bytes = 64 * 1024;           // of each request of never_read
  std::uint64_t most_bytes = 64 * 1024 * 1024;  // that one of never_read sends; then it only waits
  Nanos connect_limit = 5s;                     // for all of them
};

struct SlowPeersReport {
  std::size_t connected = 0;     // of those asked for
  std::size_t closed = 0;        // since then, by the server
  std::uint64_t bytes_sent = 0;  // by all
  /// Of those that were closed: from the last byte that was taken (or the construction) to the end.
  Nanos longest_stall{};
};

class SlowPeers {
 public:
  /// Returns when all are connected, or as many as could be.
  explicit SlowPeers(const SlowPeersOptions& options);
  ~SlowPeers();  // closes them
  SlowPeers(const SlowPeers&) = delete;
  SlowPeers& operator=(const SlowPeers&) = delete;

  SlowPeersReport report() const;
  /// Waits until the server has closed them all; false when the limit is over first, or a stop is requested.
  bool wait_until_closed(Nanos limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::net
