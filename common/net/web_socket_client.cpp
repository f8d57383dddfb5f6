#include "net/web_socket_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "core/result.h"
#include "net/loopback.h"
#include "net/web_socket_handshake.h"

namespace lab::net {
namespace {

std::uint64_t seed_from_system() {
  std::random_device random;
  return static_cast<std::uint64_t>(random()) << 32 | random();
}

}  // namespace

ClientCommons::ClientCommons(EventLoop& on, std::size_t buffer_bytes)
    : loop(on), masks(seed_from_system()), buffer(buffer_bytes) {}

WebSocketClient::WebSocketClient(ClientCommons& commons, const ClientOptions& options,
                                 Listener& listener)
    : commons_(commons),
      listener_(listener),
      target_(options.target),
      host_(fmt::format("{}:{}", options.host, options.port)),
      key_(new_key()),
      reader_(Reads::as_client, options.message_bytes) {
  try {
    connect(options);
  } catch (const Failure& failure) {
    failed_ = commons_.loop.after(
        Nanos{}, [this, why = std::string(failure.what())] { end(close_code::abnormal, why); });
  }
}

void WebSocketClient::connect(const ClientOptions& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  if (::inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1)
    throw Failure(options.host + " is no IPv4 address");
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0) throw Failure(std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.receive_buffer > 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer,
                 sizeof options.receive_buffer);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    throw Failure(std::strerror(errno));
  interest_ = EPOLLOUT;
  commons_.loop.watch(socket_, interest_, *this);
}

WebSocketClient::~WebSocketClient() {
  reset();
}

void WebSocketClient::on_events(std::uint32_t events) {
  if (state_ == State::connecting) return on_connected();
  if ((events & EPOLLIN) != 0) on_readable();
  if (state_ != State::closed && (events & EPOLLOUT) != 0) flush();
  if (state_ != State::closed && (events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0)
    end(close_code::abnormal, "connection lost");
}

void WebSocketClient::on_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return end(close_code::abnormal, std::strerror(error));
  state_ = State::handshake;
  unsent_ = ask_upgrade(host_, target_, key_);
  flush();
}

void WebSocketClient::on_readable() {
  auto& buffer = commons_.buffer;
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got < 0 && would_block()) return;
  if (got <= 0) return end(close_code::abnormal, "connection lost");
  const std::span<char> bytes(buffer.data(), static_cast<std::size_t>(got));
  if (state_ == State::handshake) {
    read_answer(bytes);
  } else {
    take(bytes);
  }
}

void WebSocketClient::read_answer(std::span<char> bytes) {
  answer_.append(bytes.data(), bytes.size());
  const auto size = read_upgrade_answer(answer_, key_);
  if (!size) return end(close_code::abnormal, size.error().message);
  if (!*size) return;
  std::string frames = answer_.substr(**size);
  std::string().swap(answer_);
  state_ = State::open;
  listener_.on_open(*this);
  if (!frames.empty() && state_ == State::open) take(frames);
}

void WebSocketClient::take(std::span<char> bytes) {
  const auto violation = reader_.feed(bytes, [this](const Message& message) {
    if (message.opcode == Opcode::close) {
      const auto reason = close_reason(message.payload);
      send(Opcode::close, message.payload.substr(0, 2));
      end(reason.code, reason.text);
    } else if (message.opcode == Opcode::ping) {
      send(Opcode::pong, message.payload);
    } else {
      listener_.on_message(*this, message);
    }
    return state_ == State::open;
  });
  if (violation && state_ == State::open) {
    send(Opcode::close, close_payload(violation->close_code, violation->why));
    end(violation->close_code, violation->why);
  }
}

void WebSocketClient::send(Opcode opcode, std::string_view payload) {
  if (state_ != State::open) return;
  append_frame(unsent_, opcode, payload, static_cast<std::uint32_t>(commons_.masks()));
  flush();
}

void WebSocketClient::send_raw(std::string_view bytes) {
  if (state_ != State::open) return;
  unsent_ += bytes;
  flush();
}

void WebSocketClient::flush() {
  if (!unsent_.empty()) {
    const ssize_t sent = ::send(socket_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
    // A connection that is broken shows when it is read.
  }
  update_interest();
}

void WebSocketClient::update_interest() {
  if (state_ == State::closed || state_ == State::connecting) return;
  const std::uint32_t wanted =
      (reading_ ? std::uint32_t{EPOLLIN} : 0u) | (unsent_.empty() ? 0u : std::uint32_t{EPOLLOUT});
  if (wanted == interest_) return;
  interest_ = wanted;
  commons_.loop.change(socket_, interest_, *this);
}

void WebSocketClient::read(bool on) {
  reading_ = on;
  update_interest();
}

void WebSocketClient::close(std::uint16_t code) {
  send(Opcode::close, close_payload(code, ""));
}

void WebSocketClient::reset() {
  commons_.loop.cancel(failed_);
  if (socket_ >= 0) {
    if (interest_ != 0) commons_.loop.forget(socket_, *this);
    const linger at_once{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(socket_);
  }
  socket_ = -1;
  state_ = State::closed;
}

void WebSocketClient::end(std::uint16_t code, std::string_view why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  commons_.loop.cancel(failed_);
  if (socket_ >= 0) {
    if (interest_ != 0) commons_.loop.forget(socket_, *this);
    ::close(socket_);
  }
  socket_ = -1;
  const std::string told(why);
  listener_.on_closed(*this, code, told);
}

}  // namespace lab::net
