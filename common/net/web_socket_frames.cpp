#include "net/web_socket_frames.h"

#include <cstring>

namespace lab::net {
namespace {

constexpr std::size_t kControlBytes = 125;
constexpr unsigned kFinal = 0x80, kReserved = 0x70, kOpcode = 0x0f, kMasked = 0x80, kLength = 0x7f;
constexpr unsigned kLength16 = 126, kLength64 = 127;

unsigned byte(char c) {
  return static_cast<unsigned char>(c);
}

std::uint64_t big_endian(std::span<const char> bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | byte(c);
  return value;
}

void append_big_endian(std::string& to, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    to += static_cast<char>(value >> shift & 0xff);
}

/// Eight bytes at a time; the mask repeats every four.
void apply_mask(char* bytes, std::size_t size, const unsigned char (&mask)[4]) {
  std::uint32_t four = 0;
  std::memcpy(&four, mask, 4);
  const std::uint64_t eight = static_cast<std::uint64_t>(four) << 32 | four;
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, 8);
    word ^= eight;
    std::memcpy(bytes + i, &word, 8);
  }
  for (; i < size; ++i) bytes[i] = static_cast<char>(byte(bytes[i]) ^ mask[i % 4]);
}

bool is_control(Opcode opcode) {
  return static_cast<unsigned>(opcode) >= 8;
}

bool is_known(unsigned opcode) {
  return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

// What may follow in UTF-8. The state holds how many continuation bytes are still to come and what the first of them is
// limited to (Unicode, table 3-7): overlong forms, surrogates and what is beyond U+10FFFF show there.
enum Lead : std::uint32_t { kPlain = 0x000, kE0 = 0x100, kEd = 0x200, kF0 = 0x300, kF4 = 0x400 };

std::optional<std::uint32_t> after_lead(unsigned c) {
  if (c < 0x80) return 0;
  if (c >= 0xc2 && c <= 0xdf) return 1;
  if (c == 0xe0) return 2 | kE0;
  if (c == 0xed) return 2 | kEd;
  if (c >= 0xe1 && c <= 0xef) return 2;
  if (c == 0xf0) return 3 | kF0;
  if (c == 0xf4) return 3 | kF4;
  if (c >= 0xf1 && c <= 0xf3) return 3;
  return std::nullopt;
}

bool may_continue(std::uint32_t lead, unsigned c) {
  switch (lead) {
    case kE0: return c >= 0xa0 && c <= 0xbf;
    case kEd: return c >= 0x80 && c <= 0x9f;
    case kF0: return c >= 0x90 && c <= 0xbf;
    case kF4: return c >= 0x80 && c <= 0x8f;
    default: return c >= 0x80 && c <= 0xbf;
  }
}

}  // namespace

bool may_be_sent(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

CloseReason close_reason(std::string_view payload) {
  if (payload.size() < 2) return {};
  return {static_cast<std::uint16_t>(byte(payload[0]) << 8 | byte(payload[1])),
          std::string(payload.substr(2))};
}

bool Utf8Check::take(std::string_view piece) {
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (at < end) {
    if (state_ == 0 && end - at >= 8) {  // mostly ASCII
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080ULL) == 0) {
        at += 8;
        continue;
      }
    }
    const unsigned c = byte(*at++);
    if (state_ == 0) {
      const auto following = after_lead(c);
      if (!following) return false;
      state_ = *following;
    } else {
      if (!may_continue(state_ & ~0xffu, c)) return false;
      state_ = (state_ & 0xffu) - 1;
    }
  }
  return true;
}

FrameReader::Step FrameReader::refuse(std::uint16_t code, std::string why) {
  violation_ = Violation{code, std::move(why)};
  return Step::violation;
}

FrameReader::Step FrameReader::read_header(std::span<const char> bytes, Header& header) {
  if (bytes.size() < 2) return Step::more;
  const unsigned first = byte(bytes[0]), second = byte(bytes[1]);
  if ((first & kReserved) != 0)
    return refuse(close_code::protocol_error, "a reserved bit is set; no extension was agreed on");
  if (!is_known(first & kOpcode)) return refuse(close_code::protocol_error, "a reserved opcode");
  header.final = (first & kFinal) != 0;
  header.opcode = static_cast<Opcode>(first & kOpcode);
  header.masked = (second & kMasked) != 0;
  if (header.masked != (side_ == Reads::as_server))
    return refuse(close_code::protocol_error, header.masked ? "a server's frame is not masked"
                                                            : "a client's frame is to be masked");
  const unsigned length = second & kLength;
  if (is_control(header.opcode) && (!header.final || length > kControlBytes))
    return refuse(close_code::protocol_error, "a control frame is whole and has at most 125 bytes");
  const std::size_t extended = length == kLength16 ? 2 : length == kLength64 ? 8 : 0;
  header.size = 2 + extended + (header.masked ? 4 : 0);
  if (bytes.size() < 2 + extended) return Step::more;
  header.payload = extended ? big_endian(bytes.subspan(2, extended)) : length;
  const std::uint64_t least = extended == 2 ? kLength16 : extended == 8 ? 0x10000 : 0;
  if (header.payload < least || header.payload >> 63 != 0)
    return refuse(close_code::protocol_error, "a length that is not in its shortest form");
  const std::size_t before = is_control(header.opcode) ? 0 : assembled_.size();
  if (!is_control(header.opcode) && header.payload > message_bytes_ - before)
    return refuse(close_code::too_big,
                  "a message may have " + std::to_string(message_bytes_) + " bytes");
  if (!is_control(header.opcode) &&
      (header.opcode == Opcode::continuation) != unfinished_.has_value())
    return refuse(close_code::protocol_error,
                  unfinished_ ? "a message inside another" : "a continuation of nothing");
  if (bytes.size() < header.size) return Step::more;
  if (header.masked) std::memcpy(header.mask, bytes.data() + 2 + extended, 4);
  return Step::message;
}

FrameReader::Step FrameReader::next(std::span<char>& bytes, Message& message) {
  Header header;
  if (const Step step = read_header(bytes, header); step != Step::message) return step;
  if (bytes.size() - header.size < header.payload) return Step::more;
  const auto payload = bytes.subspan(header.size, static_cast<std::size_t>(header.payload));
  bytes = bytes.subspan(header.size + payload.size());
  if (header.masked) apply_mask(payload.data(), payload.size(), header.mask);
  return is_control(header.opcode) ? take_control(header, payload, message)
                                   : take_data(header, payload, message);
}

void FrameReader::keep(std::span<char> rest, bool joined) {
  if (!joined) {
    rest_.assign(rest.begin(), rest.end());
  } else if (rest.empty()) {
    std::string().swap(rest_);  // thousands of connections: none keeps what it needed once
  } else {
    rest_.erase(rest_.begin(), rest_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  }
}

FrameReader::Step FrameReader::take_data(const Header& header, std::span<char> payload,
                                         Message& message) {
  const bool alone = header.final && !unfinished_;
  const Opcode opcode = unfinished_.value_or(header.opcode);
  if (opcode == Opcode::text) {
    const bool so_far = utf8_.take({payload.data(), payload.size()});
    if (!so_far || (header.final && !utf8_.complete()))
      return refuse(close_code::bad_data, "text is to be UTF-8");
  }
  if (!alone) assembled_.insert(assembled_.end(), payload.begin(), payload.end());
  if (!header.final) {
    unfinished_ = opcode;
    return Step::fragment;
  }
  unfinished_.reset();
  message.opcode = opcode;
  if (alone) {
    message.payload = {payload.data(), payload.size()};
  } else {
    whole_ = std::exchange(assembled_, {});
    message.payload = {whole_.data(), whole_.size()};
  }
  return Step::message;
}

FrameReader::Step FrameReader::take_control(const Header& header, std::span<char> payload,
                                            Message& message) {
  message = {header.opcode, {payload.data(), payload.size()}};
  if (header.opcode != Opcode::close || payload.empty()) return Step::message;
  if (payload.size() == 1)
    return refuse(close_code::protocol_error, "a close frame has no byte or at least two");
  const CloseReason reason = close_reason(message.payload);
  if (!may_be_sent(reason.code))
    return refuse(close_code::protocol_error, "a close code that may not be sent");
  Utf8Check utf8;
  if (!utf8.take(reason.text) || !utf8.complete())
    return refuse(close_code::bad_data, "a close frame's reason is to be UTF-8");
  return Step::message;
}

void append_frame(std::string& to, Opcode opcode, std::string_view payload,
                  std::optional<std::uint32_t> mask) {
  to += static_cast<char>(kFinal | static_cast<unsigned>(opcode));
  const unsigned masked = mask ? kMasked : 0;
  if (payload.size() < kLength16) {
    to += static_cast<char>(masked | payload.size());
  } else if (payload.size() < 0x10000) {
    to += static_cast<char>(masked | kLength16);
    append_big_endian(to, payload.size(), 2);
  } else {
    to += static_cast<char>(masked | kLength64);
    append_big_endian(to, payload.size(), 8);
  }
  if (!mask) {
    to += payload;
    return;
  }
  unsigned char bytes[4];
  std::memcpy(bytes, &*mask, 4);
  to.append(reinterpret_cast<const char*>(bytes), 4);
  const std::size_t from = to.size();
  to += payload;
  apply_mask(to.data() + from, payload.size(), bytes);
}

std::string to_frame(Opcode opcode, std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 10);
  append_frame(frame, opcode, payload);
  return frame;
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string payload;
  append_big_endian(payload, code, 2);
  payload += reason.substr(0, kControlBytes - 2);
  return payload;
}

}  // namespace lab::net
