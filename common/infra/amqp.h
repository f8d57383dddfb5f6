#pragma once
// RabbitMQ over AMQP 0-9-1 (librabbitmq), with publisher confirms. What the words mean: https://www.rabbitmq.com/docs/confirms.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::infra {

struct AmqpAddress {
  std::string host = "127.0.0.1";
  int port = 5672;
  std::string user = "guest", password = "guest";  // never logged
  std::string vhost = "/";

  /// amqp://[user[:password]@]host[:port][/vhost], the vhost percent-encoded ("%2f" is "/").
  static Result<AmqpAddress> parse(std::string_view url);
  /// For messages: without the password.
  std::string display() const;
};

struct AmqpOptions {
  std::chrono::milliseconds connect_timeout{
      1000};  // for the TCP connection, and again for the login
  /// For every call that waits for the broker's answer; a publish has this long for all its confirms.
  std::chrono::milliseconds call_timeout{5000};
  /// Whichever side hears nothing for two of these gives the connection up. Zero: never. The client sends its own
  /// only from within its calls: whoever holds deliveries must call next(), keep_alive() or another one in time, or the
  /// broker gives them to somebody else.
  std::chrono::seconds heartbeat{10};
};

using AmqpValue = std::variant<std::int64_t, std::string>;
using AmqpHeaders = std::map<std::string, AmqpValue>;

/// On delivery of a dead letter: why the broker made it one the last time ("rejected", "expired", "maxlen",
/// "delivery_limit"), from its list x-death.
inline constexpr const char* kReasonOfDeath = "x-death-reason";

struct AmqpMessage {
  std::string exchange{};  // empty: the default exchange, where the routing key is the queue's name
  std::string routing_key{};
  std::string body{};      // at most 64 KiB: more could keep a call waiting beyond its limit
  std::string id{};        // message-id; the broker does nothing with it
  AmqpHeaders headers{};   // on delivery: those that are whole numbers or texts, and kReasonOfDeath
  bool persistent = true;  // written to disk, in a queue that is durable
  std::uint8_t priority = 0;  // higher goes first, in a queue with max_priority
};

struct AmqpDelivery {
  AmqpMessage message;
  std::uint64_t tag = 0;     // for ack and reject; has meaning on its own connection only
  bool redelivered = false;  // somebody may have had it before
};

struct AmqpQueue {
  std::string name;
  /// Quorum queues are durable, sync to disk before they confirm, and count redeliveries (header x-delivery-count).
  /// RabbitMQ 3.10 may forget one that was declared within the last second before it is killed.
  enum class Type { classic, quorum } type = Type::classic;
  bool durable = true;
  /// Where messages go that are rejected, expire or were delivered too often: the exchange, and the routing key that they
  /// get there ("" and a queue's name: that queue). Without: nowhere.
  std::optional<std::string> dead_letter_exchange{}, dead_letter_routing_key{};
  std::optional<std::chrono::milliseconds> message_ttl{};
  std::optional<std::chrono::milliseconds> expires{};  // the queue goes when unused for so long
  /// Quorum only: returned to the queue more often, it is a dead letter.
  std::optional<int> delivery_limit{};
  std::optional<int> max_priority{};  // classic only
};

struct AmqpQueueState {
  std::int64_t ready = 0;  // not those that were delivered and not acknowledged
  std::int64_t consumers = 0;
};

/// One connection, for one thread at a time. It is not repaired: after `closed`, `timeout` or `protocol` every call answers
/// `closed` (no), what was delivered and not acknowledged goes back to its queue, and the owner makes a new one.
///
/// Errors: refused (also a wrong password or vhost) · timeout · closed · not_found (no such queue) · conflict (it exists and
/// is another; native code 406) · invalid. Error::happened says whether the broker may have done it.
class Amqp {
 public:
  static Result<std::unique_ptr<Amqp>> connect(const AmqpAddress& address,
                                               AmqpOptions options = {});
  /// In good order: what was acknowledged before is read by the broker first. Waits a quarter of a second at most.
  ~Amqp();
  Amqp(const Amqp&) = delete;
  Amqp& operator=(const Amqp&) = delete;

  const std::string& server_version() const;  // "3.10.8"

  /// Does nothing when it exists and is the same.
  Result<void> declare(const AmqpQueue& queue);
  Result<AmqpQueueState> state(const std::string& queue);
  /// How many messages were thrown away.
  Result<std::int64_t> purge(const std::string& queue);
  Result<void> remove(const std::string& queue);  // also when there is none

  /// Sends all, then waits for all confirms. One answer for each message: ok means that every queue it was routed to has
  /// it (a persistent one in a durable queue: written to disk; whether synced, see AmqpQueue::Type). `not_found` (no):
  /// no queue wanted it. `refused` (unknown): the broker said that it failed. Also `timeout`, `closed`.
  std::vector<Result<void>> publish(std::span<const AmqpMessage> messages);
  Result<void> publish(const AmqpMessage& message);

  /// From now on the broker sends what the queue has, at most `prefetch` messages that are not acknowledged. One consumer
  /// a connection: another call takes the place of the one before, whose deliveries stay good.
  Result<void> consume(const std::string& queue, std::uint16_t prefetch);
  /// The next delivery, if one comes in time; zero takes what is here. `not_found`: the queue was removed.
  Result<std::optional<AmqpDelivery>> next(Nanos wait);
  /// One message, if there is one, without a consumer.
  Result<std::optional<AmqpDelivery>> get(const std::string& queue);

  /// The broker does not answer these: ok means that they were sent. Call flush() to be sure.
  Result<void> ack(std::uint64_t tag);
  Result<void> reject(std::uint64_t tag,
                      bool requeue);  // not requeued: thrown away, or a dead letter
  /// Waits until the broker has read all acks and rejects so far.
  Result<void> flush();

  /// Sends a heartbeat when one is due and reads what has come. Does not wait.
  Result<void> keep_alive();

 private:
  class Connection;
  explicit Amqp(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace lab::infra
