#include "infra/amqp.h"

#include <fmt/format.h>

#include "infra/amqp_connection.h"

namespace lab::infra {
namespace {

constexpr std::size_t kLargestBody = 64 * 1024;

/// A table of arguments or headers for one call; the texts must outlive it.
class Table {
 public:
  void add(std::string_view key, std::int64_t number) {
    auto& entry = entries_.emplace_back();
    entry.key = bytes_of(key);
    entry.value.kind = AMQP_FIELD_KIND_I64;
    entry.value.value.i64 = number;
  }
  void add(std::string_view key, std::string_view text) {
    auto& entry = entries_.emplace_back();
    entry.key = bytes_of(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = bytes_of(text);
  }
  amqp_table_t table() { return {static_cast<int>(entries_.size()), entries_.data()}; }

 private:
  std::vector<amqp_table_entry_t> entries_;
};

Table arguments_of(const AmqpQueue& queue) {
  Table table;
  const auto add_if = [&](std::string_view key, const auto& value) {
    if (value) table.add(key, *value);
  };
  const auto add_millis = [&](std::string_view key, const auto& value) {
    if (value) table.add(key, std::int64_t{value->count()});
  };
  if (queue.type == AmqpQueue::Type::quorum) table.add("x-queue-type", "quorum");
  add_if("x-dead-letter-exchange", queue.dead_letter_exchange);
  add_if("x-dead-letter-routing-key", queue.dead_letter_routing_key);
  add_millis("x-message-ttl", queue.message_ttl);
  add_millis("x-expires", queue.expires);
  add_if("x-delivery-limit", queue.delivery_limit);
  add_if("x-max-priority", queue.max_priority);
  if (queue.type == AmqpQueue::Type::quorum && queue.dead_letter_exchange) {
    // Otherwise a dead letter is lost when the broker dies on its way.
    table.add("x-dead-letter-strategy", "at-least-once");
    table.add("x-overflow", "reject-publish");
  }
  return table;
}

Error not_tried(Error error) {
  error.happened = Happened::no;
  return error;
}

}  // namespace

/// Hands one message to the kernel. Its number travels as correlation id, by which it is known if it
/// comes back.
Result<void> Amqp::Connection::send(const AmqpMessage& message, const Deadline& deadline) {
  if (auto ready = wait_until_writable(deadline); !ready) return not_tried(ready.error());
  const std::string number = std::to_string(last_published + 1);
  Table headers;
  for (const auto& [key, value] : message.headers) {
    std::visit([&, &name = key](const auto& typed) { headers.add(name, typed); }, value);
  }
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                      AMQP_BASIC_HEADERS_FLAG;
  properties.delivery_mode = message.persistent ? 2 : 1;
  properties.priority = message.priority;
  properties.message_id = bytes_of(message.id);
  properties.correlation_id = bytes_of(number);
  properties.headers = headers.table();
  constexpr amqp_boolean_t mandatory = 1, immediate = 0;
  const int status = amqp_basic_publish(state_, kPublishing, bytes_of(message.exchange),
                                        bytes_of(message.routing_key), mandatory, immediate,
                                        &properties, bytes_of(message.body));
  if (auto done = sent(status, "basic.publish"); !done) return done;
  unconfirmed.insert(++last_published);
  return {};
}

Result<void> Amqp::Connection::wait_for_confirms(const Deadline& deadline) {
  while (!unconfirmed.empty()) {
    const auto more = read(deadline);
    if (!more) {
      Error lost = more.error();
      lost.happened = Happened::unknown;
      return lost;
    }
    if (!*more) return error(ErrorCode::timeout, Happened::unknown, "no confirm in time");
  }
  return {};
}

Amqp::Amqp(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Amqp::~Amqp() = default;

Result<std::unique_ptr<Amqp>> Amqp::connect(const AmqpAddress& address, AmqpOptions options) {
  auto connection = Connection::open(address, options);
  if (!connection) return connection.error();
  return std::unique_ptr<Amqp>(new Amqp(std::move(*connection)));
}

const std::string& Amqp::server_version() const {
  return connection_->server_version();
}

Result<void> Amqp::declare(const AmqpQueue& queue) {
  if (auto alive = connection_->usable(); !alive) return alive;
  Table arguments = arguments_of(queue);
  constexpr amqp_boolean_t passive = 0, exclusive = 0, auto_delete = 0;
  amqp_queue_declare(connection_->handle(), kQuestions, bytes_of(queue.name), passive,
                     queue.durable, exclusive, auto_delete, arguments.table());
  return connection_->outcome(kQuestions, "declaring " + queue.name);
}

Result<AmqpQueueState> Amqp::state(const std::string& queue) {
  if (auto alive = connection_->usable(); !alive) return alive.error();
  constexpr amqp_boolean_t passive = 1, unused = 0;
  const auto* answer = amqp_queue_declare(connection_->handle(), kQuestions, bytes_of(queue),
                                          passive, unused, unused, unused, amqp_empty_table);
  if (auto done = connection_->outcome(kQuestions, "looking at " + queue); !done) {
    return done.error();
  }
  return AmqpQueueState{answer->message_count, answer->consumer_count};
}

Result<std::int64_t> Amqp::purge(const std::string& queue) {
  if (auto alive = connection_->usable(); !alive) return alive.error();
  const auto* answer = amqp_queue_purge(connection_->handle(), kQuestions, bytes_of(queue));
  if (auto done = connection_->outcome(kQuestions, "purging " + queue); !done) return done.error();
  return std::int64_t{answer->message_count};
}

Result<void> Amqp::remove(const std::string& queue) {
  if (auto alive = connection_->usable(); !alive) return alive;
  amqp_queue_delete(connection_->handle(), kQuestions, bytes_of(queue), 0, 0);
  return connection_->outcome(kQuestions, "removing " + queue);
}

std::vector<Result<void>> Amqp::publish(std::span<const AmqpMessage> messages) {
  auto& connection = *connection_;
  const Deadline deadline(connection.options().call_timeout);
  std::vector<Result<void>> answers(messages.size());
  std::vector<std::uint64_t> numbers(messages.size());  // 0: not sent
  Result<void> sending;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].body.size() > kLargestBody) {
      answers[i] = Error{ErrorCode::invalid, Happened::no, "a message is longer than 64 KiB"};
      continue;
    }
    if (!sending) {
      answers[i] = not_tried(sending.error());
      continue;
    }
    sending = connection.send(messages[i], deadline);
    answers[i] = sending;
    if (sending) numbers[i] = connection.last_published;
  }
  const auto confirmed = connection.wait_for_confirms(deadline);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (numbers[i] == 0) continue;
    const auto failure = connection.failed.find(numbers[i]);
    if (failure != connection.failed.end()) {
      answers[i] = failure->second;
    } else if (connection.unconfirmed.contains(numbers[i])) {
      answers[i] = confirmed.error();
    }
  }
  connection.unconfirmed.clear();
  connection.failed.clear();
  return answers;
}

Result<void> Amqp::publish(const AmqpMessage& message) {
  return publish(std::span(&message, 1)).front();
}

Result<void> Amqp::consume(const std::string& queue, std::uint16_t prefetch) {
  // A queue that is not there would cost the channel, and with it the deliveries.
  if (auto there = state(queue); !there) return there.error();
  auto& connection = *connection_;
  if (!connection.consumer.empty()) {
    amqp_basic_cancel(connection.handle(), kDeliveries, bytes_of(connection.consumer));
    if (auto done = connection.outcome(kDeliveries, "basic.cancel"); !done) return done;
  }
  connection.prefetch = prefetch;
  if (auto done = flush(); !done) return done;
  constexpr amqp_boolean_t no_local = 0, no_ack = 0, exclusive = 0;
  const auto* answer =
      amqp_basic_consume(connection.handle(), kDeliveries, bytes_of(queue), amqp_empty_bytes,
                         no_local, no_ack, exclusive, amqp_empty_table);
  if (auto done = connection.outcome(kDeliveries, "consuming " + queue); !done) return done;
  connection.consumer = text_of(answer->consumer_tag);
  connection.cancelled = false;
  return {};
}

Result<std::optional<AmqpDelivery>> Amqp::next(Nanos wait) {
  auto& connection = *connection_;
  const Deadline deadline(wait);
  if (auto alive = connection.usable(); !alive) return alive.error();
  while (connection.deliveries.empty()) {
    if (connection.cancelled) {
      return Error{ErrorCode::not_found, Happened::no, "the queue that was consumed is gone"};
    }
    const auto more = connection.read(deadline);
    if (!more) return more.error();
    if (!*more) return std::optional<AmqpDelivery>();
  }
  if (auto alive = connection.usable(); !alive) return alive.error();
  std::optional<AmqpDelivery> first = std::move(connection.deliveries.front());
  connection.deliveries.pop_front();
  return first;
}

Result<std::optional<AmqpDelivery>> Amqp::get(const std::string& queue) {
  if (auto there = state(queue); !there) return there.error();
  auto& connection = *connection_;
  const Deadline deadline(connection.options().call_timeout);
  const auto reply = amqp_basic_get(connection.handle(), kDeliveries, bytes_of(queue), 0);
  if (auto done = connection.outcome(reply, kDeliveries, "getting from " + queue); !done) {
    return done.error();
  }
  if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) return std::optional<AmqpDelivery>();
  const auto& ok = *static_cast<amqp_basic_get_ok_t*>(reply.reply.decoded);
  AmqpDelivery head{
      .message = {.exchange = text_of(ok.exchange), .routing_key = text_of(ok.routing_key)},
      .tag = ok.delivery_tag,
      .redelivered = ok.redelivered != 0};
  connection.getting = true;
  while (connection.getting) {
    const auto more = connection.read(deadline);
    if (!more) return more.error();
    if (!*more) return connection.give_up("a message came only in part");
  }
  AmqpDelivery whole = std::move(connection.got);
  whole.tag = head.tag;
  whole.redelivered = head.redelivered;
  whole.message.exchange = std::move(head.message.exchange);
  whole.message.routing_key = std::move(head.message.routing_key);
  return std::optional(std::move(whole));
}

Result<void> Amqp::ack(std::uint64_t tag) {
  const Deadline deadline(connection_->options().call_timeout);
  if (auto ready = connection_->wait_until_writable(deadline); !ready) return ready;
  return connection_->sent(amqp_basic_ack(connection_->handle(), kDeliveries, tag, 0), "basic.ack");
}

Result<void> Amqp::reject(std::uint64_t tag, bool requeue) {
  const Deadline deadline(connection_->options().call_timeout);
  if (auto ready = connection_->wait_until_writable(deadline); !ready) return ready;
  return connection_->sent(amqp_basic_reject(connection_->handle(), kDeliveries, tag, requeue),
                           "basic.reject");
}

// The broker works through the methods of a channel in order, and this one has an answer.
Result<void> Amqp::flush() {
  if (auto alive = connection_->usable(); !alive) return alive;
  constexpr std::uint32_t any_size = 0;
  constexpr amqp_boolean_t all_consumers = 0;
  amqp_basic_qos(connection_->handle(), kDeliveries, any_size, connection_->prefetch,
                 all_consumers);
  return connection_->outcome(kDeliveries, "basic.qos");
}

Result<void> Amqp::keep_alive() {
  return connection_->read_all();
}

}  // namespace lab::infra
