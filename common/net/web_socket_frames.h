#pragma once
// WebSocket frames (RFC 6455): bytes to messages and back, without a socket. What a peer does against the protocol is told
// with the close code that it is to get.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::net {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

/// Close codes (RFC 6455, 7.4.1, and IANA's registry).
namespace close_code {
inline constexpr std::uint16_t normal = 1000, going_away = 1001, protocol_error = 1002,
                               unsupported_data = 1003, no_status = 1005, abnormal = 1006,
                               bad_data = 1007, policy = 1008, too_big = 1009, internal = 1011,
                               try_again_later = 1013;
}
/// May stand in a close frame: 1000-1003, 1007-1014, 3000-4999.
bool may_be_sent(std::uint16_t close_code);

/// A whole message, or a control frame. The payload is unmasked and lives until the handler returns.
struct Message {
  Opcode opcode = Opcode::text;  // never continuation
  std::string_view payload;
};

struct Violation {
  std::uint16_t close_code = close_code::protocol_error;
  std::string why;  // at most 100 bytes
};

/// What a close frame says: no_status when it is empty.
struct CloseReason {
  std::uint16_t code = close_code::no_status;
  std::string text;
};
CloseReason close_reason(std::string_view payload);

/// Whose end reads: a server insists on masked frames, a client on unmasked ones.
enum class Reads { as_server, as_client };

/// Is the text UTF-8 (RFC 3629: no overlong forms, no surrogates)? Takes it in pieces.
class Utf8Check {
 public:
  bool take(std::string_view piece);  // false: it is not, whatever may follow
  bool complete() const { return state_ == 0; }
  void reset() { state_ = 0; }

 private:
  std::uint32_t state_ = 0;
};

/// Reads one connection's frames, in slices of any size. After a violation it takes nothing more.
///   1002  reserved bits or opcodes · a mask where none belongs, or none where one does · a control frame that is
///         fragmented or longer than 125 bytes · a continuation of nothing, a new message inside another · a length not in its
///         shortest form · a close frame of one byte or with a code that may not be sent
///   1007  text, or a close frame's reason, that is not UTF-8; told with the frame in which it shows
///   1009  a message of more than `message_bytes`; told from the frame's header, before its payload has come
/// A message in one frame is not copied. No more than one message is held.
class FrameReader {
 public:
  FrameReader(Reads side, std::size_t message_bytes) : side_(side), message_bytes_(message_bytes) {}

  /// Calls on_message(const Message&) for each; that returns false to stop there (the rest is dropped). The bytes are
  /// unmasked in place.
  template <class OnMessage>
  std::optional<Violation> feed(std::span<char> bytes, OnMessage&& on_message) {
    const bool joined = !rest_.empty();
    if (joined) {
      rest_.append(bytes.data(), bytes.size());
      bytes = rest_;
    }
    Message message;
    for (;;) {
      const Step step = next(bytes, message);
      if (step == Step::violation) return std::exchange(violation_, std::nullopt);
      if (step == Step::more) break;
      const bool go_on = step != Step::message || on_message(std::as_const(message));
      if (!whole_.empty()) std::vector<char>().swap(whole_);
      if (!go_on) return std::nullopt;
    }
    keep(bytes, joined);
    return std::nullopt;
  }

  std::size_t held_bytes() const { return rest_.size() + assembled_.size() + whole_.size(); }

 private:
  enum class Step { more, message, fragment, violation };
  struct Header {
    bool final = false, masked = false;
    Opcode opcode{};
    std::size_t size = 0;  // of the header
    std::uint64_t payload = 0;
    unsigned char mask[4]{};
  };

  Step next(std::span<char>& bytes, Message& message);
  void keep(std::span<char> rest, bool joined);
  Step read_header(std::span<const char> bytes, Header& header);
  Step take_data(const Header& header, std::span<char> payload, Message& message);
  Step take_control(const Header& header, std::span<char> payload, Message& message);
  Step refuse(std::uint16_t code, std::string why);

  const Reads side_;
  const std::size_t message_bytes_;
  std::string rest_;                  // of an unfinished frame
  std::vector<char> assembled_;       // of an unfinished message
  std::vector<char> whole_;           // a message that came in pieces, while it is handled
  std::optional<Opcode> unfinished_;  // what the fragments are of
  Utf8Check utf8_;
  std::optional<Violation> violation_;
};

/// Appends a frame. A client masks (RFC 6455, 5.3); the mask is to be unpredictable.
void append_frame(std::string& to, Opcode opcode, std::string_view payload,
                  std::optional<std::uint32_t> mask = std::nullopt);
std::string to_frame(Opcode opcode, std::string_view payload);
/// The reason is cut to 123 bytes.
std::string close_payload(std::uint16_t code, std::string_view reason);

}  // namespace lab::net
