#include "redis_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "infra/redis_connection.h"

namespace pubsub_fanout {
namespace {

using lab::Error;
using lab::ErrorCode;
using lab::Happened;

/// A connected or connecting socket, or -1.
int open_socket(const lab::infra::RedisAddress& address) {
  const bool local = !address.unix_socket.empty();
  const int socket =
      ::socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  int done = -1;
  if (local) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address.unix_socket.c_str(), sizeof to.sun_path - 1);
    done = ::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(address.port));
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
    done = ::inet_pton(AF_INET, host.c_str(), &to.sin_addr) == 1
               ? ::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to)
               : -1;
  }
  if (done == 0 || errno == EINPROGRESS) return socket;
  ::close(socket);
  return -1;
}

Error too_much() {
  return {ErrorCode::refused, Happened::no, "Redis takes no more"};
}

}  // namespace

RedisLink::RedisLink(lab::net::EventLoop& loop, lab::infra::RedisAddress address,
                     std::function<void()> on_up, std::function<void(const Reply&)> on_push)
    : loop_(loop),
      address_(std::move(address)),
      on_up_(std::move(on_up)),
      on_push_(std::move(on_push)),
      buffer_(64 * 1024) {
  loop_.at_turn_end([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) connect();
  });
}

RedisLink::~RedisLink() {
  loop_.cancel(retry_);
  loop_.cancel(limit_);
  if (socket_ < 0) return;
  loop_.forget(socket_, *this);
  ::close(socket_);
}

void RedisLink::connect() {
  socket_ = open_socket(address_);
  if (socket_ < 0) {
    retry_ = loop_.after(kTryAgain, [this] { connect(); });
    return;
  }
  interest_ = EPOLLIN | EPOLLOUT;
  loop_.watch(socket_, interest_, *this);
  limit_ = loop_.after(kAnswerLimit, [this] { down(); });  // connected is not yet answered
}

void RedisLink::on_events(std::uint32_t events) {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 && (events & EPOLLOUT) != 0 ? introduce() : down();
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) on_readable();
  if (connected_ && (events & EPOLLOUT) != 0) flush();
}

void RedisLink::introduce() {
  connected_ = true;
  introductions_ = 0;
  replies_.emplace();
  const auto say = [this](const std::vector<std::string_view>& words) {
    lab::infra::append_command(unsent_, words);
    ++introductions_;
  };
  const std::string database = std::to_string(address_.database);
  if (!address_.password.empty() && address_.user.empty()) say({"AUTH", address_.password});
  if (!address_.password.empty() && !address_.user.empty())
    say({"AUTH", address_.user, address_.password});
  if (address_.database != 0) say({"SELECT", database});
  say({"PING"});  // refused while Redis still reads what it had written down
  flush();
}

void RedisLink::on_reply(const lab::Result<Reply>& reply) {
  if (introductions_ > 0) {
    if (!reply) return down();
    if (--introductions_ > 0) return;
    loop_.cancel(limit_);
    up_ = true;
    look_after();
    if (on_up_) on_up_();
  } else if (on_push_) {
    const bool pong = reply && (reply->items.empty() || reply->items[0].text == "pong");
    if (reply && !pong) on_push_(*reply);
  } else if (!answers_.empty()) {
    answer_first(reply);
    while (!answers_.empty() && answers_.front().refused) answer_first(too_much());
  }
}

void RedisLink::answer_first(const lab::Result<Reply>& reply) {
  const Answer answer = std::move(answers_.front().answer);
  answers_.pop_front();
  if (answer) answer(reply);
}

void RedisLink::send(const std::vector<std::string_view>& words, Answer answer) {
  if (!up_) {
    if (!answer) return;
    loop_.at_turn_end([answer = std::move(answer), alive = std::weak_ptr(alive_)] {
      if (!alive.expired())
        answer(Error{ErrorCode::refused, Happened::no, "the node has lost Redis"});
    });
    return;
  }
  lab::infra::append_command(unsent_, words);
  if (answers_.empty()) owed_since_ = lab::now();
  if (!on_push_) answers_.push_back({std::move(answer)});
  if (std::exchange(flushing_, true)) return;
  loop_.at_turn_end([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    flushing_ = false;
    if (connected_) flush();
  });
}

void RedisLink::say(const std::vector<std::string_view>& words, Answer answer) {
  if (up_ && unsent_.size() > kMostUnsent) {
    answers_.push_back({std::move(answer), true});
  } else {
    send(words, std::move(answer));
  }
}

void RedisLink::flush() {
  while (!unsent_.empty()) {
    const ssize_t sent = ::send(socket_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return down();
    if (sent <= 0) break;
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  update_interest();
}

void RedisLink::on_readable() {
  const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return down();
  last_word_ = lab::now();
  if (!replies_->feed({buffer_.data(), static_cast<std::size_t>(got)})) return down();
  std::vector<lab::Result<Reply>> replies;
  constexpr std::size_t kMost = 1024;
  while (connected_) {
    replies.clear();
    const auto taken = replies_->take(kMost, replies);
    if (!taken) return down();
    for (const auto& reply : replies) {
      if (connected_) on_reply(reply);
    }
    if (*taken < kMost) return;
  }
}

/// Redis may be stopped, or the network between: nothing breaks then, and nothing comes.
void RedisLink::look_after() {
  limit_ = loop_.after(kSilence / 4, [this] { look_after(); });
  if (silent()) on_readable();  // it is this process that may have been late
  if (up_ && silent()) return down();
  if (up_ && on_push_) send({"PING"});
}

bool RedisLink::silent() const {
  const bool owed = on_push_ || !answers_.empty();
  const lab::Instant since = on_push_ ? last_word_ : std::max(owed_since_, last_word_);
  return owed && lab::now() - since > kSilence;
}

void RedisLink::down() {
  connected_ = up_ = false;
  loop_.cancel(limit_);
  loop_.forget(socket_, *this);
  ::close(socket_);
  socket_ = -1;
  unsent_.clear();
  retry_ = loop_.after(kTryAgain, [this] { connect(); });
  std::deque<Owed> lost;
  lost.swap(answers_);
  for (const auto& [answer, refused] : lost) {
    if (!answer) continue;
    answer(refused
               ? too_much()
               : Error{ErrorCode::closed, Happened::unknown, "Redis went before it had answered"});
  }
}

void RedisLink::update_interest() {
  if (socket_ < 0) return;
  const std::uint32_t wanted = EPOLLIN | (unsent_.empty() ? 0u : std::uint32_t{EPOLLOUT});
  if (wanted == interest_) return;
  interest_ = wanted;
  loop_.change(socket_, interest_, *this);
}

}  // namespace pubsub_fanout
