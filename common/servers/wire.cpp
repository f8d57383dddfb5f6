#include "servers/wire.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/stop.h"
#include "servers/errno_error.h"

namespace lab::servers {

Result<Wire> Wire::open(const std::filesystem::path& socket, Nanos limit) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = socket.string();
  if (path.size() >= sizeof address.sun_path) return errno_error(ENAMETOOLONG, path);
  std::memcpy(address.sun_path, path.data(), path.size());

  return connected(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                   reinterpret_cast<const sockaddr*>(&address), sizeof address, limit, path);
}

Result<Wire> Wire::open_port(int port, Nanos limit) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connected(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                   reinterpret_cast<const sockaddr*>(&address), sizeof address, limit,
                   "port " + std::to_string(port));
}

Result<Wire> Wire::connected(int socket, const sockaddr* address, socklen_t size, Nanos limit,
                             const std::string& name) {
  Wire wire(socket);
  if (socket < 0) return errno_error(errno, "cannot make a socket");
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
  const timeval time{whole / 1'000'000, whole % 1'000'000};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (::connect(socket, address, size) != 0) return errno_error(errno, "cannot connect to " + name);
  return wire;
}

Wire::Wire(Wire&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

Wire::~Wire() {
  if (socket_ >= 0) ::close(socket_);
}

Result<void> Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno_error(errno, "cannot send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<std::string> Wire::receive(std::size_t exactly) {
  std::string bytes(exactly, '\0');
  for (std::size_t have = 0; have < exactly;) {
    const ssize_t got = ::recv(socket_, bytes.data() + have, exactly - have, 0);
    if (got < 0 && errno == EINTR && !stop_requested()) continue;
    if (got < 0 && errno == EAGAIN) return Error{ErrorCode::timeout, Happened::no, "no answer"};
    if (got < 0) return errno_error(errno, "cannot receive");
    if (got == 0) return Error{ErrorCode::closed, Happened::no, "the server closed the connection"};
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<std::string> Wire::receive_line() {
  std::string line;
  while (!line.ends_with('\n')) {
    auto next = receive(1);
    if (!next) return next.error();
    line += *next;
  }
  return line;
}

Result<int> free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno_error(errno, "cannot make a socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  ::close(socket);
  if (!bound) return errno_error(error, "cannot get a free port of 127.0.0.1");
  return ntohs(address.sin_port);
}

}  // namespace lab::servers
