// What comes from the broker unasked: deliveries, confirms, returned messages, closing.
#include <fmt/format.h>

#include <charconv>

#include "infra/amqp_connection.h"

namespace lab::infra {
namespace {

std::optional<AmqpValue> value_of(const amqp_field_value_t& field) {
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN: return AmqpValue(std::int64_t{field.value.boolean != 0});
    case AMQP_FIELD_KIND_I8: return AmqpValue(std::int64_t{field.value.i8});
    case AMQP_FIELD_KIND_U8: return AmqpValue(std::int64_t{field.value.u8});
    case AMQP_FIELD_KIND_I16: return AmqpValue(std::int64_t{field.value.i16});
    case AMQP_FIELD_KIND_U16: return AmqpValue(std::int64_t{field.value.u16});
    case AMQP_FIELD_KIND_I32: return AmqpValue(std::int64_t{field.value.i32});
    case AMQP_FIELD_KIND_U32: return AmqpValue(std::int64_t{field.value.u32});
    case AMQP_FIELD_KIND_I64: return AmqpValue(field.value.i64);
    case AMQP_FIELD_KIND_UTF8: return AmqpValue(text_of(field.value.bytes));
    default: return std::nullopt;
  }
}

/// The newest entry of the broker's list of an earlier message's deaths.
std::optional<AmqpValue> reason_of_death(const amqp_field_value_t& deaths) {
  if (deaths.kind != AMQP_FIELD_KIND_ARRAY || deaths.value.array.num_entries == 0) return {};
  const auto& newest = deaths.value.array.entries[0];
  if (newest.kind != AMQP_FIELD_KIND_TABLE) return {};
  const auto& fields = newest.value.table;
  for (int i = 0; i < fields.num_entries; ++i) {
    if (text_of(fields.entries[i].key) == "reason") return value_of(fields.entries[i].value);
  }
  return {};
}

std::uint64_t number_in(amqp_bytes_t bytes) {
  std::uint64_t number = 0;
  const char* text = static_cast<const char*>(bytes.bytes);
  std::from_chars(text, text + bytes.len, number);
  return number;
}

}  // namespace

AmqpMessage message_of(const amqp_basic_properties_t& properties) {
  AmqpMessage message;
  const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
  if (has(AMQP_BASIC_MESSAGE_ID_FLAG)) message.id = text_of(properties.message_id);
  if (has(AMQP_BASIC_PRIORITY_FLAG)) message.priority = properties.priority;
  message.persistent = has(AMQP_BASIC_DELIVERY_MODE_FLAG) && properties.delivery_mode == 2;
  if (has(AMQP_BASIC_HEADERS_FLAG)) {
    for (int i = 0; i < properties.headers.num_entries; ++i) {
      const auto& entry = properties.headers.entries[i];
      const auto key = text_of(entry.key);
      if (auto value = value_of(entry.value)) message.headers[key] = *value;
      if (key != "x-death") continue;
      if (auto reason = reason_of_death(entry.value)) message.headers[kReasonOfDeath] = *reason;
    }
  }
  return message;
}

void Amqp::Connection::handle_frame(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) {
    handle_method(frame.channel, frame.payload.method);
  } else if (frame.frame_type == AMQP_FRAME_HEADER) {
    handle_header(frame.channel, frame);
  } else if (frame.frame_type == AMQP_FRAME_BODY) {
    contents_[frame.channel].delivery.message.body += text_of(frame.payload.body_fragment);
    finish_when_complete(frame.channel);
  }
}

void Amqp::Connection::handle_method(amqp_channel_t channel, const amqp_method_t& method) {
  switch (method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto& deliver = *static_cast<amqp_basic_deliver_t*>(method.decoded);
      contents_[channel] = Content{};
      auto& delivery = contents_[channel].delivery;
      delivery.tag = deliver.delivery_tag;
      delivery.redelivered = deliver.redelivered != 0;
      delivery.message.exchange = text_of(deliver.exchange);
      delivery.message.routing_key = text_of(deliver.routing_key);
      break;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto& returned = *static_cast<amqp_basic_return_t*>(method.decoded);
      contents_[channel] = Content{};
      Error told = error(ErrorCode::not_found, Happened::no,
                         fmt::format("no queue for \"{}\": {}", text_of(returned.routing_key),
                                     text_of(returned.reply_text)));
      told.native_code = std::to_string(returned.reply_code);
      contents_[channel].returned = told;
      break;
    }
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<amqp_basic_ack_t*>(method.decoded);
      settle(ack.delivery_tag, ack.multiple != 0, std::nullopt);
      break;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<amqp_basic_nack_t*>(method.decoded);
      settle(nack.delivery_tag, nack.multiple != 0,
             error(ErrorCode::refused, Happened::unknown, "the broker could not keep the message"));
      break;
    }
    case AMQP_BASIC_CANCEL_METHOD: cancelled = true; break;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      broken_ = channel_closed(*static_cast<amqp_channel_close_t*>(method.decoded),
                               fmt::format("channel {}", channel))
                    .message;
      break;
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      broken_ = connection_closed(*static_cast<amqp_connection_close_t*>(method.decoded)).message;
      amqp_connection_close_ok_t ok{};
      amqp_send_method(state_, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
      break;
    }
    default: break;  // connection.blocked and the like: what waits has a limit anyway
  }
}

void Amqp::Connection::handle_header(amqp_channel_t channel, const amqp_frame_t& frame) {
  auto& content = contents_[channel];
  const auto& properties = *static_cast<amqp_basic_properties_t*>(frame.payload.properties.decoded);
  AmqpMessage message = message_of(properties);
  message.exchange = std::move(content.delivery.message.exchange);
  message.routing_key = std::move(content.delivery.message.routing_key);
  content.delivery.message = std::move(message);
  content.size = frame.payload.properties.body_size;
  if ((properties._flags & AMQP_BASIC_CORRELATION_ID_FLAG) != 0) {
    content.sequence = number_in(properties.correlation_id);
  }
  finish_when_complete(channel);
}

void Amqp::Connection::finish_when_complete(amqp_channel_t channel) {
  auto& content = contents_[channel];
  if (content.delivery.message.body.size() < content.size) return;
  if (content.returned) {
    failed.emplace(content.sequence, *content.returned);
  } else if (content.delivery.tag == 0 && getting) {
    got = std::move(content.delivery);
    getting = false;
  } else {
    deliveries.push_back(std::move(content.delivery));
  }
  contents_.erase(channel);
}

/// A returned message is acknowledged too, after it was returned.
void Amqp::Connection::settle(std::uint64_t sequence, bool multiple,
                              const std::optional<Error>& error) {
  const auto first = multiple ? unconfirmed.begin() : unconfirmed.find(sequence);
  const auto last = unconfirmed.upper_bound(sequence);
  for (auto number = first; number != last && number != unconfirmed.end(); ++number) {
    if (error) failed.emplace(*number, *error);
  }
  if (first != unconfirmed.end()) unconfirmed.erase(first, last);
}

}  // namespace lab::infra
