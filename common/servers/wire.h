#pragma once
// A bare connection to a server's Unix socket or port, just enough to ask in its own protocol whether it is
// ready. Blocking, every call within a limit.

#include <sys/socket.h>

#include <filesystem>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace lab::servers {

class Wire {
 public:
  /// `limit` bounds each later send and receive.
  static Result<Wire> open(const std::filesystem::path& socket, Nanos limit);
  static Result<Wire> open_port(int port, Nanos limit);  // of 127.0.0.1
  Wire(Wire&& other) noexcept;
  Wire& operator=(Wire&&) = delete;
  ~Wire();

  Result<void> send(std::string_view bytes);
  Result<std::string> receive(std::size_t exactly);
  Result<std::string> receive_line();

 private:
  explicit Wire(int socket) : socket_(socket) {}
  static Result<Wire> connected(int socket, const sockaddr* address, socklen_t size, Nanos limit,
                                const std::string& name);
  int socket_;
};

/// A port of 127.0.0.1 that was free a moment ago.
Result<int> free_port();

}  // namespace lab::servers
