#include "infra/amqp_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <rabbitmq-c/tcp_socket.h>
#include <sys/socket.h>

#include <cerrno>

namespace lab::infra {
namespace {

constexpr int kSendBuffer = 1 << 20;  // the kernel may allow less
constexpr Nanos kGoodbye = 250ms;

/// What the broker's reply codes mean to us (AMQP 0-9-1, section 1.2 "Constants").
ErrorCode code_of_reply(int reply_code) {
  switch (reply_code) {
    case 404: return ErrorCode::not_found;
    case 405:
    case 406: return ErrorCode::conflict;
    case 403:
    case 530: return ErrorCode::refused;
    case 320: return ErrorCode::closed;
    default: return ErrorCode::internal;
  }
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case AMQP_STATUS_TIMEOUT: return ErrorCode::timeout;
    case AMQP_STATUS_BAD_AMQP_DATA:
    case AMQP_STATUS_UNKNOWN_CLASS:
    case AMQP_STATUS_UNKNOWN_METHOD:
    case AMQP_STATUS_UNEXPECTED_STATE:
    case AMQP_STATUS_WRONG_METHOD: return ErrorCode::protocol;
    case AMQP_STATUS_NO_MEMORY: return ErrorCode::exhausted;
    default: return ErrorCode::closed;
  }
}

amqp_table_entry_t entry(const char* key, std::uint8_t kind) {
  amqp_table_entry_t made{};
  made.key = amqp_cstring_bytes(key);
  made.value.kind = kind;
  return made;
}

}  // namespace

std::string text_of(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

amqp_bytes_t bytes_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

timeval timeval_of(Nanos duration) {
  const auto micros = std::chrono::ceil<std::chrono::microseconds>(duration).count();
  return {micros / 1'000'000, micros % 1'000'000};
}

Amqp::Connection::Connection(const AmqpAddress& address, AmqpOptions options)
    : peer_(address.display()), options_(options), state_(amqp_new_connection()) {}

Amqp::Connection::~Connection() {
  if (!broken_) {
    const timeval limit = timeval_of(kGoodbye);
    amqp_set_rpc_timeout(state_, &limit);
    (void)amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
  }
  amqp_destroy_connection(state_);
}

Error Amqp::Connection::error(ErrorCode code, Happened happened, std::string_view why) const {
  return {code, happened, fmt::format("RabbitMQ at {}: {}", peer_, why)};
}

Result<std::unique_ptr<Amqp::Connection>> Amqp::Connection::open(const AmqpAddress& address,
                                                                 AmqpOptions options) {
  std::unique_ptr<Connection> connection(new Connection(address, options));
  connection->broken_ = "not connected";  // so that nobody says goodbye to it
  amqp_socket_t* socket = amqp_tcp_socket_new(connection->state_);
  if (!socket) return connection->error(ErrorCode::exhausted, Happened::no, "no memory");
  const timeval limit = timeval_of(options.connect_timeout);
  errno = 0;
  const int status = amqp_socket_open_noblock(socket, address.host.c_str(), address.port, &limit);
  if (status != AMQP_STATUS_OK) {
    const bool full = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    return connection->error(status == AMQP_STATUS_TIMEOUT ? ErrorCode::timeout
                             : full                        ? ErrorCode::exhausted
                                                           : ErrorCode::refused,
                             Happened::no,
                             fmt::format("cannot connect: {}", amqp_error_string2(status)));
  }
  connection->prepare_socket();
  if (auto ready = connection->log_in(address); !ready) {
    Error failure = ready.error();
    failure.happened = Happened::no;  // nothing of the caller's has been sent yet
    return failure;
  }
  return connection;
}

/// One frame always fits: whoever finds the socket writable may send one without waiting.
void Amqp::Connection::prepare_socket() const {
  const int socket = amqp_get_sockfd(state_);
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
}

Result<void> Amqp::Connection::log_in(const AmqpAddress& address) {
  const timeval limit = timeval_of(options_.connect_timeout);
  amqp_set_handshake_timeout(state_, &limit);
  amqp_set_rpc_timeout(state_, &limit);
  amqp_table_entry_t cancels = entry("consumer_cancel_notify", AMQP_FIELD_KIND_BOOLEAN);
  cancels.value.value.boolean = 1;  // be told when the queue of a consumer is removed
  amqp_table_entry_t capabilities = entry("capabilities", AMQP_FIELD_KIND_TABLE);
  capabilities.value.value.table = {1, &cancels};
  const amqp_table_t properties{1, &capabilities};
  const auto reply = amqp_login_with_properties(
      state_, address.vhost.c_str(), AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE,
      static_cast<int>(options_.heartbeat.count()), &properties, AMQP_SASL_METHOD_PLAIN,
      address.user.c_str(), address.password.c_str());
  broken_.reset();
  if (auto done = outcome(reply, 0, "login"); !done) {
    if (!broken_) broken_ = "login failed";
    return done;
  }
  const timeval call_limit = timeval_of(options_.call_timeout);
  amqp_set_rpc_timeout(state_, &call_limit);
  for (const auto channel : {kDeliveries, kPublishing, kQuestions}) {
    if (auto opened = open_channel(channel); !opened) return opened;
  }
  amqp_confirm_select(state_, kPublishing);
  if (auto done = outcome(kPublishing, "confirm.select"); !done) return done;
  read_server_version();
  return {};
}

Result<void> Amqp::Connection::open_channel(amqp_channel_t channel) {
  amqp_channel_open(state_, channel);
  return outcome(channel, "channel.open");
}

void Amqp::Connection::read_server_version() {
  const amqp_table_t& properties = *amqp_get_server_properties(state_);
  for (int i = 0; i < properties.num_entries; ++i) {
    const auto& entry = properties.entries[i];
    if (text_of(entry.key) == "version" && entry.value.kind == AMQP_FIELD_KIND_UTF8) {
      server_version_ = text_of(entry.value.value.bytes);
    }
  }
}

Result<void> Amqp::Connection::usable() const {
  if (!broken_) return {};
  return error(ErrorCode::closed, Happened::no, "the connection is lost: " + *broken_);
}

Error Amqp::Connection::broken_by(int status, std::string_view what) {
  broken_ = fmt::format("{}: {}", what, amqp_error_string2(status));
  return error(code_of_status(status), Happened::unknown, *broken_);
}

Error Amqp::Connection::channel_closed(const amqp_channel_close_t& close,
                                       std::string_view what) const {
  Error told = error(code_of_reply(close.reply_code), Happened::no,
                     fmt::format("{}: {}", what, text_of(close.reply_text)));
  told.native_code = std::to_string(close.reply_code);
  return told;
}

Error Amqp::Connection::connection_closed(const amqp_connection_close_t& close) const {
  Error told = error(code_of_reply(close.reply_code), Happened::unknown, text_of(close.reply_text));
  told.native_code = std::to_string(close.reply_code);
  return told;
}

Result<void> Amqp::Connection::outcome(amqp_rpc_reply_t reply, amqp_channel_t channel,
                                       std::string_view what) {
  Result<void> done;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    done = broken_by(reply.library_error, what);
  } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
      done = channel_closed(*static_cast<amqp_channel_close_t*>(reply.reply.decoded), what);
      amqp_channel_close_ok_t ok{};
      amqp_send_method(state_, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
      if (channel == kQuestions) {
        (void)open_channel(channel);
      } else {
        broken_ = done.error().message;
      }
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
      done = connection_closed(*static_cast<amqp_connection_close_t*>(reply.reply.decoded));
      broken_ = done.error().message;
    } else {
      done = broken_by(AMQP_STATUS_WRONG_METHOD, what);
    }
  } else if (reply.reply_type == AMQP_RESPONSE_NONE) {
    done = broken_by(AMQP_STATUS_SOCKET_CLOSED, what);
  }
  return done;
}

Error Amqp::Connection::give_up(std::string_view why) {
  broken_ = std::string(why);
  return error(ErrorCode::protocol, Happened::unknown, why);
}

Result<void> Amqp::Connection::sent(int status, std::string_view what) {
  if (status == AMQP_STATUS_OK) return {};
  return broken_by(status, what);
}

Result<bool> Amqp::Connection::read(const Deadline& deadline) {
  if (auto alive = usable(); !alive) return alive.error();
  amqp_maybe_release_buffers(state_);
  amqp_frame_t frame{};
  const timeval limit = timeval_of(deadline.never() ? Nanos(24h) : deadline.left());
  const int status = amqp_simple_wait_frame_noblock(state_, &frame, &limit);
  if (status == AMQP_STATUS_TIMEOUT) return false;
  if (status != AMQP_STATUS_OK) return broken_by(status, "while reading");
  handle_frame(frame);
  return true;
}

Result<void> Amqp::Connection::read_all() {
  while (true) {
    const auto more = read(Deadline(Nanos{0}));
    if (!more) return more.error();
    if (!*more) return {};
  }
}

Result<void> Amqp::Connection::wait_until_writable(const Deadline& deadline) {
  if (auto alive = usable(); !alive) return alive;
  while (true) {
    pollfd entry{amqp_get_sockfd(state_), POLLIN | POLLOUT, 0};
    const Nanos left = deadline.never() ? Nanos(1h) : deadline.left();
    const timespec limit{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    const int ready = ::ppoll(&entry, 1, &limit, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return error(ErrorCode::timeout, Happened::no, "takes nothing in time");
    if (entry.revents & (POLLIN | POLLHUP | POLLERR)) {
      if (auto done = read_all(); !done) return done;
    }
    if (entry.revents & POLLOUT) return {};
  }
}

}  // namespace lab::infra
