#pragma once
// A server that misbehaves on purpose.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace lab::test {

/// Listens on a Unix socket; each connection gets a thread that runs the behaviour and then closes.
/// Behaviours must end when their peer closes, or when stopping() says so.
class FakeServer {
 public:
  class Connection {
   public:
    Connection(int socket, int number, FakeServer& server)
        : socket_(socket), number_(number), server_(server) {}
    int number() const { return number_; }  // 1 for the first one
    /// What comes next, or empty when the peer has closed or the server stops.
    std::string receive();
    /// Receives until the peer closes; what came is not answered.
    void swallow();
    bool send(std::string_view bytes);
    bool stopping() const { return server_.stopping_; }

   private:
    int socket_, number_;
    FakeServer& server_;
  };
  using Behaviour = std::function<void(Connection&)>;

  explicit FakeServer(Behaviour behaviour);
  ~FakeServer();
  std::string socket() const { return (folder_.path() / "fake.sock").string(); }
  int connections() const { return accepted_; }
  /// Closes all connections from the server's side; new ones are served.
  void hang_up();

 private:
  void accept_all();
  void serve(int socket, int number);

  TestFolder folder_;
  Behaviour behaviour_;
  int listener_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::vector<int> open_;  // guarded by mutex_
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace lab::test
