#pragma once
// The part of the AMQP client that knows librabbitmq and sockets.

#include <rabbitmq-c/amqp.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "infra/amqp.h"
#include "infra/deadline.h"

namespace lab::infra {

// Three channels, because an error answer closes the channel it came on: questions about queues get
// such answers in the normal course of things, and must not cost the deliveries.
inline constexpr amqp_channel_t kDeliveries = 1, kPublishing = 2, kQuestions = 3;

/// For one thread at a time.
class Amqp::Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const AmqpAddress& address, AmqpOptions options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  amqp_connection_state_t handle() const { return state_; }
  const AmqpOptions& options() const { return options_; }
  const std::string& server_version() const { return server_version_; }

  /// `closed` (no), with what broke it, when the connection is of no more use.
  Result<void> usable() const;

  /// What the library made of the call that was just made on this channel.
  Result<void> outcome(amqp_rpc_reply_t reply, amqp_channel_t channel, std::string_view what);
  Result<void> outcome(amqp_channel_t channel, std::string_view what) {
    return outcome(amqp_get_rpc_reply(state_), channel, what);
  }
  /// Of a call that sends only.
  Result<void> sent(int status, std::string_view what);

  /// Reads and handles one frame. False when none came in time.
  Result<bool> read(const Deadline& deadline);
  /// Reads what has come, without waiting.
  Result<void> read_all();
  /// Waits until the socket takes a frame, and reads meanwhile.
  Result<void> wait_until_writable(const Deadline& deadline);

  /// Sends one message and counts it as unconfirmed.
  Result<void> send(const AmqpMessage& message, const Deadline& deadline);
  Result<void> wait_for_confirms(const Deadline& deadline);

  /// Out of step with the broker: from now on unusable.
  Error give_up(std::string_view why);

  std::deque<AmqpDelivery> deliveries;  // read and not taken
  AmqpDelivery got;                     // of basic.get
  bool getting = false;                 // the next content without a delivery is basic.get's
  bool cancelled = false;               // by the broker
  std::string consumer;                 // its tag
  std::uint16_t prefetch = 0;

  /// Publisher confirms: numbers that the broker has not answered for, and what it said about others.
  std::uint64_t last_published = 0;
  std::set<std::uint64_t> unconfirmed;
  std::map<std::uint64_t, Error> failed;

 private:
  /// A delivery or a returned message whose frames are still coming.
  struct Content {
    AmqpDelivery delivery;
    std::optional<Error> returned;
    std::uint64_t size = 0;
    std::uint64_t sequence = 0;  // of a returned message
  };

  Connection(const AmqpAddress& address, AmqpOptions options);
  Result<void> log_in(const AmqpAddress& address);
  Result<void> open_channel(amqp_channel_t channel);
  void prepare_socket() const;
  void read_server_version();

  void handle_frame(const amqp_frame_t& frame);
  void handle_method(amqp_channel_t channel, const amqp_method_t& method);
  void handle_header(amqp_channel_t channel, const amqp_frame_t& frame);
  void finish_when_complete(amqp_channel_t channel);
  void settle(std::uint64_t sequence, bool multiple, const std::optional<Error>& error);
  Error channel_closed(const amqp_channel_close_t& close, std::string_view what) const;
  Error connection_closed(const amqp_connection_close_t& close) const;
  Error broken_by(int status, std::string_view what);
  Error error(ErrorCode code, Happened happened, std::string_view why) const;

  const std::string peer_;
  const AmqpOptions options_;
  amqp_connection_state_t state_;
  std::string server_version_;
  std::optional<std::string> broken_;  // by what
  std::map<amqp_channel_t, Content> contents_;
};

/// Between the library's values and ours.
std::string text_of(amqp_bytes_t bytes);
amqp_bytes_t bytes_of(std::string_view text);
timeval timeval_of(Nanos duration);
AmqpMessage message_of(const amqp_basic_properties_t& properties);

}  // namespace lab::infra
