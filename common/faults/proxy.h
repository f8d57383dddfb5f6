#pragma once
// A proxy between a client and a server that damages the connection, after Toxiproxy's set of toxics.
// It listens on a Unix socket or a kernel-chosen port of 127.0.0.1 and forwards bytes to the upstream address.

#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace lab::faults {

/// host:port or the path of a Unix socket.
struct Endpoint {
  std::string unix_socket;
  std::string host = "127.0.0.1";
  int port = 0;
};

/// The damage in force. All members are independent; the defaults pass everything on unharmed.
/// A change applies at once, also to connections that are open.
struct Damage {
  Nanos latency{};                          // added to each direction's bytes, order kept
  Nanos jitter{};                           // uniform in ±jitter around latency, from the seed
  std::uint64_t bytes_per_second = 0;       // throttles each direction; 0: no limit
  bool blackhole = false;                   // bytes are read and swallowed; nothing is answered, nothing closed
  bool refuse = false;                      // new connections are turned down; open ones are not touched
  std::size_t slice_bytes = 0;              // forwards at most so many bytes at once; 0: as they come
  Nanos slice_delay{};                      // pause between slices
  std::uint64_t corrupt_one_byte_in = 0;    // downstream bytes flipped at random, one in so many on average; 0: none
};

/// Runs on a thread of its own (Boost.Asio inside); thread-safe.
class FaultProxy {
 public:
  struct Options {
    Endpoint upstream;
    std::string listen_unix_socket;  // empty: 127.0.0.1 and a port from the kernel
    std::uint64_t seed = 1;
  };
  /// Listens at once. Throws Failure when it cannot.
  explicit FaultProxy(Options options);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  Endpoint endpoint() const;
  void set(Damage damage);
  Damage damage() const;
  /// Closes every open connection on both sides: with RST over TCP, abruptly over a Unix socket. Returns how many.
  std::size_t reset_all();

  struct Counters {
    std::uint64_t accepted = 0, refused = 0, resets = 0, bytes_up = 0, bytes_down = 0, bytes_corrupted = 0;
  };
  Counters counters() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace lab::faults
