#include "fake_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace lab::test {
namespace {

bool readable(int socket, int limit_ms) {
  pollfd entry{socket, POLLIN, 0};
  return ::poll(&entry, 1, limit_ms) > 0;
}

}  // namespace

std::string FakeServer::Connection::receive() {
  while (!stopping()) {
    if (!readable(socket_, 20)) continue;
    std::array<char, 65536> buffer;
    const ssize_t size = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (size <= 0) return {};
    return std::string(buffer.data(), static_cast<std::size_t>(size));
  }
  return {};
}

void FakeServer::Connection::swallow() {
  while (!receive().empty()) {
  }
}

bool FakeServer::Connection::send(std::string_view bytes) {
  return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

FakeServer::FakeServer(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket().c_str(), sizeof address.sun_path - 1);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 64) != 0) {
    throw std::runtime_error("the fake server cannot listen");
  }
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeServer::~FakeServer() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

void FakeServer::accept_all() {
  while (!stopping_) {
    if (!readable(listener_, 20)) continue;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const int number = ++accepted_;
    {
      const std::lock_guard lock(mutex_);
      open_.push_back(socket);
    }
    threads_.emplace_back([this, socket, number] { serve(socket, number); });
  }
}

void FakeServer::serve(int socket, int number) {
  Connection connection(socket, number, *this);
  behaviour_(connection);
  const std::lock_guard lock(mutex_);
  std::erase(open_, socket);
  ::close(socket);
}

void FakeServer::hang_up() {
  const std::lock_guard lock(mutex_);
  for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace lab::test
