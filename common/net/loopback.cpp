#include "net/loopback.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "core/result.h"

namespace lab::net {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

int connect_to_loopback(int socket, int port) {
  const sockaddr_in address = loopback(port);
  return ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int bind_to_loopback(int socket, int port) {
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket, generic, size) != 0 || ::getsockname(socket, generic, &size) != 0) return -1;
  return ntohs(address.sin_port);
}

Listener listen_on_loopback(int port) {
  Listener listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  // A port that was asked for may have connections of the one before us that wait to be forgotten.
  const int on = 1;
  if (listener.socket >= 0 && port != 0)
    ::setsockopt(listener.socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (listener.socket >= 0) listener.port = bind_to_loopback(listener.socket, port);
  if (listener.port > 0 && ::listen(listener.socket, SOMAXCONN) == 0) return listener;
  const int error = errno;
  if (listener.socket >= 0) ::close(listener.socket);
  throw Failure(
      Error{ErrorCode::unavailable, Happened::no,
            fmt::format("cannot listen on 127.0.0.1:{}: {}", port, std::strerror(error))});
}

}  // namespace lab::net
