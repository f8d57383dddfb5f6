#include "net/web_socket_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/result.h"
#include "net/loopback.h"
#include "net/web_socket_handshake.h"

namespace lab::net {
namespace {

constexpr std::size_t kReadAtOnce = 64 * 1024;
constexpr std::size_t kPiecesAtOnce = 512;        // of one writev
constexpr std::size_t kBytesAtOnce = 256 * 1024;  // then the others have their turn

}  // namespace

WebSocketPeer::WebSocketPeer(WebSocketServer& server, int socket)
    : server_(server), socket_(socket), reader_(Reads::as_server, server.limits_.message_bytes) {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (const int size = server_.limits_.send_buffer; size > 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  interest_ = EPOLLIN;
  server_.loop_.watch(socket_, interest_, *this);
  timer_ = server_.loop_.after(server_.limits_.handshake, [this] { end(close_code::abnormal); });
}

WebSocketPeer::~WebSocketPeer() {
  server_.loop_.cancel(timer_);
  if (socket_ < 0) return;
  server_.loop_.forget(socket_, *this);
  ::close(socket_);
}

void WebSocketPeer::on_events(std::uint32_t events) {
  if ((events & EPOLLIN) != 0) on_readable();
  if (state_ == State::closed) return;
  if ((events & EPOLLOUT) != 0) flush();
  if (state_ == State::closed) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0)
    end(finish_ ? ended_with_ : close_code::abnormal);
}

void WebSocketPeer::on_readable() {
  auto& buffer = server_.buffer_;
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got < 0 && would_block()) return;
  if (got <= 0) return end(finish_ ? ended_with_ : close_code::abnormal);
  const std::span<char> bytes(buffer.data(), static_cast<std::size_t>(got));
  if (state_ == State::handshake) {
    shake_hands(bytes);
  } else {
    take(bytes);
  }
}

void WebSocketPeer::shake_hands(std::span<char> bytes) {
  request_.append(bytes.data(), bytes.size());
  auto upgrade = read_upgrade(request_);
  if (!upgrade) return;
  if (upgrade->status == 101) {
    const int status = server_.handler_.on_request(upgrade->target);
    if (status != 101) *upgrade = Upgrade{{}, {}, 0, status, "nothing here by that name"};
  }
  if (upgrade->status != 101) {
    state_ = State::closing;
    return send_last(refuse_upgrade(upgrade->status, upgrade->why));
  }
  server_.loop_.cancel(timer_);
  target_ = std::move(upgrade->target);
  state_ = State::open;
  write(accept_upgrade(upgrade->key));
  std::string frames = request_.substr(upgrade->size);
  std::string().swap(request_);
  if (state_ != State::open) return;
  server_.handler_.on_open(*this);
  if (!frames.empty() && state_ == State::open) take(frames);
}

void WebSocketPeer::take(std::span<char> bytes) {
  if (finish_) return;  // after a violation nothing counts any more
  const auto violation =
      reader_.feed(bytes, [this](const Message& message) { return on_message(message); });
  if (!violation) return;
  close(violation->close_code, violation->why);
  ended_with_ = violation->close_code;
  finish_ = linger_ = true;
  if (!queued_) flush();
}

/// False: nothing more is read.
bool WebSocketPeer::on_message(const Message& message) {
  switch (message.opcode) {
    case Opcode::close: on_close_frame(message.payload); return false;
    case Opcode::pong: break;
    case Opcode::ping:
      if (state_ != State::open) break;
      owed_control_ = waiting_.empty() ? 0 : owed_control_ + message.payload.size() + 2;
      if (owed_control_ > server_.limits_.owed_control_bytes) {
        end(close_code::policy);  // a close frame would not be read either
        return false;
      }
      queue(std::make_shared<std::string>(to_frame(Opcode::pong, message.payload)));
      break;
    default:
      if (state_ == State::open) server_.handler_.on_message(*this, message);
  }
  return state_ != State::closed && !finish_;
}

void WebSocketPeer::on_close_frame(std::string_view payload) {
  ended_with_ = close_reason(payload).code;
  if (!close_sent_) {
    queue(std::make_shared<std::string>(to_frame(Opcode::close, payload.substr(0, 2))));
    close_sent_ = true;
    state_ = State::closing;
    // What waits may never be read.
    timer_ = server_.loop_.after(server_.limits_.farewell, [this] { end(ended_with_); });
  }
  finish_ = true;
  if (waiting_.empty()) end(ended_with_);
}

void WebSocketPeer::close(std::uint16_t code, std::string_view reason) {
  if (close_sent_ || state_ != State::open) return;
  queue(std::make_shared<std::string>(to_frame(Opcode::close, close_payload(code, reason))));
  close_sent_ = true;
  state_ = State::closing;
  timer_ = server_.loop_.after(server_.limits_.farewell, [this, code] { end(code); });
}

void WebSocketPeer::send_last(std::string bytes) {
  finish_ = linger_ = true;
  queue(std::make_shared<std::string>(std::move(bytes)));
}

void WebSocketPeer::write(std::string_view frames) {
  if (state_ == State::closed || close_sent_) return;
  std::size_t taken = 0;
  if (waiting_.empty()) {
    const ssize_t sent = ::send(socket_, frames.data(), frames.size(), MSG_NOSIGNAL);
    if (sent < 0 && !would_block()) return;  // the loop tells, when it sees it
    taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  if (taken == frames.size()) return;
  waiting_.push_back(std::make_shared<std::string>(frames.substr(taken)));
  waiting_bytes_ += frames.size() - taken;
  was_full_ = true;
  update_interest();
}

void WebSocketPeer::queue(SharedFrames frames) {
  if (state_ == State::closed || close_sent_) return;
  waiting_bytes_ += frames->size();
  waiting_.push_back(std::move(frames));
  if (!queued_ && !was_full_) server_.flush_at_turn_end(*this);
}

void WebSocketPeer::write_blocking(std::string_view frames) {
  write(frames);
  while (was_full_ && state_ != State::closed) {
    pollfd waiting{socket_, POLLOUT, 0};
    ::poll(&waiting, 1, -1);
    if (!send_waiting()) return;  // the loop tells, when it sees it
    was_full_ = !waiting_.empty();
  }
  update_interest();
}

void WebSocketPeer::flush() {
  if (!send_waiting()) return end(close_code::abnormal);
  was_full_ = !waiting_.empty();
  update_interest();
  if (was_full_) return;
  if (finish_) return linger_ ? linger() : end(ended_with_);
  if (state_ == State::open) server_.handler_.on_drained(*this);
}

/// As much as the socket takes. False: it is broken.
bool WebSocketPeer::send_waiting() {
  while (!waiting_.empty()) {
    iovec pieces[kPiecesAtOnce];
    std::size_t count = 0, bytes = 0;
    for (const auto& frames : waiting_) {
      const std::size_t skip = count == 0 ? first_sent_ : 0;
      pieces[count] = {const_cast<char*>(frames->data()) + skip, frames->size() - skip};
      bytes += pieces[count].iov_len;
      if (++count == kPiecesAtOnce || bytes >= kBytesAtOnce) break;
    }
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    const ssize_t went = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (went < 0 && !would_block()) return false;
    if (went > 0) sent(static_cast<std::size_t>(went));
    if (went < static_cast<ssize_t>(bytes)) return true;
  }
  return true;
}

void WebSocketPeer::sent(std::size_t bytes) {
  waiting_bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = waiting_.front()->size() - first_sent_;
    if (bytes < left) {
      first_sent_ += bytes;
      return;
    }
    bytes -= left;
    first_sent_ = 0;
    waiting_.pop_front();
  }
}

void WebSocketPeer::update_interest() {
  if (state_ == State::closed) return;
  const std::uint32_t wanted = EPOLLIN | (waiting_.empty() ? 0u : std::uint32_t{EPOLLOUT});
  if (wanted == interest_) return;
  interest_ = wanted;
  server_.loop_.change(socket_, interest_, *this);
}

/// What is still being sent to us would turn our last bytes into a reset: it is read, and thrown away.
void WebSocketPeer::linger() {
  linger_ = false;
  ::shutdown(socket_, SHUT_WR);
  server_.loop_.cancel(timer_);
  timer_ = server_.loop_.after(server_.limits_.farewell, [this] { end(ended_with_); });
}

void WebSocketPeer::end(std::uint16_t code) {
  if (state_ == State::closed) return;
  const bool was_open = !target_.empty();
  state_ = State::closed;
  server_.loop_.forget(socket_, *this);
  server_.loop_.cancel(timer_);
  ::close(socket_);
  socket_ = -1;
  if (was_open) server_.handler_.on_close(*this, code);
  server_.bury(*this);
}

WebSocketServer::WebSocketServer(EventLoop& loop, WebSocketHandler& handler, WebSocketLimits limits,
                                 int port)
    : loop_(loop), handler_(handler), limits_(limits), buffer_(kReadAtOnce) {
  const Listener listener = listen_on_loopback(port);
  listener_ = listener.socket;
  port_ = listener.port;
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (spare_ < 0) {
    const std::string why = std::strerror(errno);
    ::close(listener_);
    throw Failure(Error{ErrorCode::unavailable, Happened::no, "no descriptor is left: " + why});
  }
  loop_.watch(listener_, EPOLLIN, *this);
}

WebSocketServer::~WebSocketServer() {
  for (auto* peer : std::set<WebSocketPeer*>(peers_)) delete peer;
  loop_.forget(listener_, *this);
  ::close(listener_);
  if (spare_ >= 0) ::close(spare_);
}

void WebSocketServer::on_events(std::uint32_t) {
  accept_some();
}

void WebSocketServer::accept_some() {
  constexpr int kAtOnce = 64;  // the others have their turn, too
  for (int i = 0; i < kAtOnce; ++i) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0 && (errno == EMFILE || errno == ENFILE)) return refuse_one();
    if (socket < 0) return;
    peers_.insert(new WebSocketPeer(*this, socket));
  }
}

/// Without it the connection would stay in the queue, and the loop would turn without end.
void WebSocketServer::refuse_one() {
  if (spare_ >= 0) ::close(spare_);
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket >= 0) ::close(socket);
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void WebSocketServer::flush_at_turn_end(WebSocketPeer& peer) {
  peer.queued_ = true;
  to_flush_.push_back(&peer);
  if (std::exchange(flush_planned_, true)) return;
  loop_.at_turn_end([this] {
    flush_planned_ = false;
    std::vector<WebSocketPeer*> peers;
    peers.swap(to_flush_);
    for (auto* each : peers) each->queued_ = false;
    for (auto* each : peers) {
      if (each->state_ != WebSocketPeer::State::closed) each->flush();
    }
  });
}

void WebSocketServer::bury(WebSocketPeer& peer) {
  peers_.erase(&peer);
  if (peer.queued_) std::erase(to_flush_, &peer);
  dead_.emplace_back(&peer);
  if (dead_.size() == 1) loop_.at_turn_end([this] { dead_.clear(); });
}

}  // namespace lab::net
