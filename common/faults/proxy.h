#pragma once
// A proxy between a client and a server that damages the connection, after Toxiproxy's set of
// toxics. It listens on a Unix socket or a kernel-chosen port of 127.0.0.1 and forwards bytes to
// the upstream address.
//
// Each direction of a connection holds at most 64 KiB; when they are not taken away, the proxy
// reads no further and the sender feels it. So at most 64 KiB per `latency` get through. A
// half-close and a reset by one side are passed on to the other.

#include <cstddef>
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
  /// Added to each direction's bytes; their order is kept.
  Nanos latency{};
  /// Uniform in ±jitter around the latency, from the seed.
  Nanos jitter{};
  /// Throttles each direction of each connection; 0: no limit.
  std::uint64_t bytes_per_second = 0;
  /// Bytes are read and swallowed; nothing is answered, nothing is closed. When it is lifted, the
  /// connection goes on without what it swallowed, so its stream has a hole.
  bool blackhole = false;
  /// New connections get ECONNREFUSED; open ones are not touched.
  bool refuse = false;
  /// Forwards at most so many bytes at once; 0: as they come.
  std::size_t slice_bytes = 0;
  /// Pause between slices.
  Nanos slice_delay{};
  /// Downstream bytes in which one bit is flipped, one in so many on average, from the seed, by the
  /// connection's number and the byte's place in its stream; 0: none.
  std::uint64_t corrupt_one_byte_in = 0;
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
  void set(Damage damage);  // in force when it returns
  Damage damage() const;
  /// Closes every open connection on both sides: with RST over TCP, abruptly over a Unix socket.
  /// Returns how many.
  std::size_t reset_all();

  struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t unreachable = 0;  // accepted, then reset: the upstream could not be reached
    std::uint64_t resets = 0;       // connections that reset_all closed
    std::uint64_t bytes_up = 0, bytes_down = 0, bytes_corrupted = 0;
  };
  Counters counters() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace lab::faults
