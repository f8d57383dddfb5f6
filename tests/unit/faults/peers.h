#pragma once
// Blocking clients and servers for the tests of the proxy. Numbers are errno's.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "faults/proxy.h"

namespace lab::faults::test {

/// A connected socket. Every call gives up after ten seconds (EAGAIN), so that a broken proxy fails
/// a test and does not hang it.
class Peer {
 public:
  explicit Peer(int socket);
  /// Connects; the error is in connect_error().
  explicit Peer(const Endpoint& endpoint);
  Peer(Peer&& other) noexcept;
  Peer& operator=(Peer&&) = delete;
  ~Peer();

  int connect_error() const { return connect_error_; }
  int send(const std::string& bytes);  // 0, or why not all of it could be sent
  /// Reads until so many bytes are there, the stream ends or breaks (see last_error()).
  std::string receive(std::size_t size);
  std::string receive_to_end() { return receive(~std::size_t{0}); }
  int last_error() const { return last_error_; }  // 0 after the end of the stream
  /// Does anything (bytes, an end, an error) come within the time?
  bool hears_within(std::chrono::milliseconds time) const;
  void finish_sending();
  void reset();  // sends RST (connect(2): AF_UNSPEC dissolves the association)
  int handle() const { return socket_; }

 private:
  int socket_ = -1;
  int connect_error_ = 0;
  int last_error_ = 0;
};

/// Listens on a Unix socket or, with an empty path, on 127.0.0.1; runs `serve` for every connection
/// on a thread of its own.
class TestServer {
 public:
  explicit TestServer(std::function<void(Peer)> serve, std::string unix_socket = {});
  ~TestServer();
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  Endpoint endpoint_;
  int listener_ = -1;
  std::function<void(Peer)> serve_;
  std::thread accepting_;
  std::mutex mutex_;
  std::vector<std::thread> serving_;
  std::vector<int> sockets_;
};

/// Sends everything back, and the end of the stream too.
void echo(Peer peer);

}  // namespace lab::faults::test
