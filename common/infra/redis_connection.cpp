#include "infra/redis_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "infra/socket_wait.h"

namespace lab::infra {
namespace {

// The kernel counts a receive limit in its own ticks, of at most 10 ms, and rounds it up: it is
// given this much less, and poll() waits for the exact rest.
constexpr Nanos kernel_limit_slack = 20ms;
constexpr Nanos shortest_kernel_limit = 40ms;
constexpr Nanos idle_before_check = 1ms;

timeval to_timeval(Nanos duration) {
  const auto micros = std::chrono::ceil<std::chrono::microseconds>(duration).count();
  return {micros / 1'000'000, micros % 1'000'000};
}

std::string reason(int error_number) {
  return std::strerror(error_number);
}

}  // namespace

struct RedisConnection::Hiredis {
  redisContext* context;
  explicit Hiredis(redisContext* opened) : context(opened) {}
  ~Hiredis() {
    if (context) redisFree(context);
  }
  Hiredis(const Hiredis&) = delete;
  Hiredis& operator=(const Hiredis&) = delete;
};

void append_command(std::string& requests, std::span<const std::string_view> words) {
  requests += fmt::format("*{}\r\n", words.size());
  for (const std::string_view word : words) {
    fmt::format_to(std::back_inserter(requests), "${}\r\n", word.size());
    requests.append(word).append("\r\n");
  }
}

RedisConnection::RedisConnection(std::unique_ptr<Hiredis> hiredis, std::string peer)
    : hiredis_(std::move(hiredis)), peer_(std::move(peer)) {}

RedisConnection::~RedisConnection() = default;

Error RedisConnection::error(ErrorCode code, Happened happened, std::string_view why) const {
  return {code, happened, fmt::format("Redis at {}: {}", peer_, why)};
}

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisAddress& address,
                                                               const Deadline& deadline) {
  const timeval limit =
      to_timeval(deadline.never() ? Nanos(24h) : std::max<Nanos>(deadline.left(), 1us));
  errno = 0;
  auto hiredis = std::make_unique<Hiredis>(
      address.unix_socket.empty()
          ? redisConnectWithTimeout(address.host.c_str(), address.port, limit)
          : redisConnectUnixWithTimeout(address.unix_socket.c_str(), limit));
  const int error_number = errno;
  const redisContext* context = hiredis->context;
  if (!context || context->err) {
    const bool late =
        error_number == ETIMEDOUT || error_number == EAGAIN || error_number == EINPROGRESS;
    const bool full = error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM;
    return Error{late   ? ErrorCode::timeout
                 : full ? ErrorCode::exhausted
                        : ErrorCode::refused,
                 Happened::no,
                 fmt::format("Redis at {}: cannot connect: {}", address.display(),
                             context ? context->errstr : reason(ENOMEM))};
  }
  fcntl(context->fd, F_SETFD, FD_CLOEXEC);
  std::unique_ptr<RedisConnection> connection(
      new RedisConnection(std::move(hiredis), address.display()));
  if (auto ready = connection->introduce(address, deadline); !ready) return ready.error();
  return connection;
}

Result<void> RedisConnection::introduce(const RedisAddress& address, const Deadline& deadline) {
  std::string requests;
  std::size_t count = 0;
  const auto add = [&](std::initializer_list<std::string_view> words) {
    append_command(requests, std::span(words.begin(), words.size()));
    ++count;
  };
  if (!address.user.empty()) {
    add({"AUTH", address.user, address.password});
  } else if (!address.password.empty()) {
    add({"AUTH", address.password});
  }
  if (address.database != 0) add({"SELECT", std::to_string(address.database)});
  if (count == 0) return {};

  std::vector<Result<RedisReply>> replies;
  auto exchanged = exchange(requests, count, deadline, replies);
  if (!exchanged) {
    // Nothing of the caller's has been sent yet.
    Error failure = exchanged.error();
    failure.happened = Happened::no;
    return failure;
  }
  for (const auto& reply : replies) {
    if (!reply) {
      Error turned_down = error(ErrorCode::refused, Happened::no, reply.error().message);
      turned_down.native_code = reply.error().native_code;
      return turned_down;
    }
  }
  return {};
}

Result<void> RedisConnection::exchange(std::string_view requests, std::size_t count,
                                       const Deadline& deadline,
                                       std::vector<Result<RedisReply>>& replies) {
  if (auto sent = send(requests, deadline); !sent) return sent.error();
  return receive(count, deadline, replies);
}

Result<void> RedisConnection::send(std::string_view requests, const Deadline& deadline) {
  Happened happened = Happened::no;
  while (!requests.empty()) {
    const ssize_t sent = ::send(hiredis_->context->fd, requests.data(), requests.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      happened = Happened::unknown;
      requests.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_until_ready(hiredis_->context->fd, POLLOUT, deadline)) {
        return error(ErrorCode::timeout, happened, "did not take the command in time");
      }
    } else if (errno != EINTR) {
      return error(ErrorCode::closed, happened,
                   fmt::format("connection lost while sending: {}", reason(errno)));
    }
  }
  return {};
}

Result<void> RedisConnection::receive(std::size_t count, const Deadline& deadline,
                                      std::vector<Result<RedisReply>>& replies) {
  for (bool first = true;; first = false) {
    const auto taken = replies_.take(count, replies);
    if (!taken) return error(taken.error().code, taken.error().happened, taken.error().message);
    count -= *taken;
    if (count == 0) break;
    if (auto received = receive_some(deadline, first); !received) return received.error();
  }
  if (replies_.leftover()) {
    return error(ErrorCode::protocol, Happened::unknown, "answered more than it was asked");
  }
  last_used_ = now();
  return {};
}

Result<void> RedisConnection::receive_some(const Deadline& deadline, bool first) {
  // The usual answer comes with one system call: the kernel keeps the limit. Whatever the kernel's
  // limit cannot express (an answer in slices, a limit half used up, a very short one) waits with
  // poll() for what is left.
  const bool kernel_keeps_limit =
      first &&
      (deadline.never() || (*deadline.limit() >= shortest_kernel_limit &&
                            deadline.left() >= *deadline.limit() - kernel_limit_slack / 2));
  if (kernel_keeps_limit) {
    const auto limit = deadline.limit();
    set_kernel_limit(limit ? std::optional(*limit - kernel_limit_slack) : std::nullopt);
  } else if (!wait_until_ready(hiredis_->context->fd, POLLIN, deadline)) {
    return error(ErrorCode::timeout, Happened::unknown, "no answer in time");
  }
  std::array<char, 16 * 1024> buffer;
  const ssize_t size = ::recv(hiredis_->context->fd, buffer.data(), buffer.size(),
                              kernel_keeps_limit ? 0 : MSG_DONTWAIT);
  if (size > 0) return replies_.feed({buffer.data(), static_cast<std::size_t>(size)});
  if (size == 0) {
    return error(ErrorCode::closed, Happened::unknown, "closed the connection before it answered");
  }
  if (errno == EINTR || errno == EAGAIN) return {};  // the next round waits for the exact rest
  return error(ErrorCode::closed, Happened::unknown,
               fmt::format("connection lost: {}", reason(errno)));
}

void RedisConnection::set_kernel_limit(std::optional<Nanos> limit) {
  if (limit == kernel_limit_) return;
  const timeval time = to_timeval(limit.value_or(Nanos{0}));
  setsockopt(hiredis_->context->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  kernel_limit_ = limit;
}

bool RedisConnection::stale() {
  if (now() - last_used_ < idle_before_check) return false;
  char byte;
  // Nobody has asked anything, so anything but "nothing there yet" is a broken connection.
  return ::recv(hiredis_->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1 || errno != EAGAIN;
}

}  // namespace lab::infra
