#include "peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace lab::faults::test {
namespace {

struct RawAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

RawAddress raw_address(const Endpoint& endpoint) {
  RawAddress address;
  if (!endpoint.unix_socket.empty()) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strncpy(path.sun_path, endpoint.unix_socket.c_str(), sizeof path.sun_path - 1);
    std::memcpy(&address.storage, &path, sizeof path);
    address.size = sizeof path;
    return address;
  }
  sockaddr_in internet{};
  internet.sin_family = AF_INET;
  internet.sin_port = htons(static_cast<std::uint16_t>(endpoint.port));
  inet_pton(AF_INET, endpoint.host.c_str(), &internet.sin_addr);
  std::memcpy(&address.storage, &internet, sizeof internet);
  address.size = sizeof internet;
  return address;
}

}  // namespace

Peer::Peer(int socket) : socket_(socket) {
  const timeval limit{10, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Peer::Peer(const Endpoint& endpoint)
    : Peer(::socket(endpoint.unix_socket.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
                    0)) {
  const auto address = raw_address(endpoint);
  if (::connect(socket_, address.get(), address.size) != 0) connect_error_ = errno;
}

Peer::Peer(Peer&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

Peer::~Peer() {
  if (socket_ >= 0) ::close(socket_);
}

int Peer::send(const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t sent = ::send(socket_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent < 0) return errno;
    done += static_cast<std::size_t>(sent);
  }
  return 0;
}

std::string Peer::receive(std::size_t size) {
  std::string bytes;
  char buffer[16384];
  while (bytes.size() < size) {
    const auto room = std::min(sizeof buffer, size - bytes.size());
    const ssize_t got = ::recv(socket_, buffer, room, 0);
    last_error_ = got < 0 ? errno : 0;
    if (got <= 0) break;
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
  return bytes;
}

bool Peer::hears_within(std::chrono::milliseconds time) const {
  pollfd readable{socket_, POLLIN, 0};
  return ::poll(&readable, 1, static_cast<int>(time.count())) == 1;
}

void Peer::finish_sending() {
  ::shutdown(socket_, SHUT_WR);
}

void Peer::reset() {
  const sockaddr nobody{AF_UNSPEC, {}};
  ::connect(socket_, &nobody, sizeof nobody);
}

TestServer::TestServer(std::function<void(Peer)> serve, std::string unix_socket)
    : serve_(std::move(serve)) {
  endpoint_.unix_socket = std::move(unix_socket);
  const int family = endpoint_.unix_socket.empty() ? AF_INET : AF_UNIX;
  listener_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = raw_address(endpoint_);
  if (::bind(listener_, address.get(), address.size) != 0 || ::listen(listener_, 256) != 0) {
    throw std::runtime_error("the test's server cannot listen");
  }
  if (family == AF_INET) {
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
    endpoint_.port = ntohs(bound.sin_port);
  }
  accepting_ = std::thread([this] {
    for (int socket; (socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      const std::lock_guard lock(mutex_);
      sockets_.push_back(::dup(socket));
      serving_.emplace_back([this, socket] { serve_(Peer(socket)); });
    }
  });
}

TestServer::~TestServer() {
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  ::close(listener_);
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  for (auto& thread : serving_) thread.join();
  for (const int socket : sockets_) ::close(socket);
}

void echo(Peer peer) {
  char buffer[16384];
  for (ssize_t got; (got = ::recv(peer.handle(), buffer, sizeof buffer, 0)) > 0;) {
    if (peer.send({buffer, static_cast<std::size_t>(got)}) != 0) return;
  }
  peer.finish_sending();
}

}  // namespace lab::faults::test
