#pragma once
// The HTTP part of a WebSocket (RFC 6455, 4): net/http.h parses, this decides. Bytes in, bytes out, no socket.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace lab::net {

inline constexpr std::size_t kHandshakeBytes = 8 * 1024;  // a longer request gets 431

/// A request to become a WebSocket, or why it gets none.
struct Upgrade {
  std::string target;    // "/rooms/7?user=ann"
  std::string key;       // Sec-WebSocket-Key
  std::size_t size = 0;  // of the request; what follows it are frames already
  int status =
      101;  // else 405 (not GET), 426 (no upgrade, or another version), or as net/http.h refuses
  std::string why;  // with another status than 101
};

/// Nothing: there is more to come.
std::optional<Upgrade> read_upgrade(std::string_view bytes);

/// 101 with Sec-WebSocket-Accept.
std::string accept_upgrade(std::string_view key);
/// An answer that ends the connection.
std::string refuse_upgrade(int status, std::string_view why);

/// The client's side. The key is 16 random bytes in base64.
std::string new_key();
std::string ask_upgrade(std::string_view host, std::string_view target, std::string_view key);
/// The answer's size; nothing: there is more to come. Errors: refused (another status) · protocol (no HTTP, or an accept that is
/// not the key's); both happened no.
Result<std::optional<std::size_t>> read_upgrade_answer(std::string_view bytes,
                                                       std::string_view key);

/// ws://host:port/path
struct WebSocketUrl {
  std::string host;
  int port = 80;
  std::string target = "/";
};
/// Errors: invalid.
Result<WebSocketUrl> parse_web_socket_url(std::string_view url);

}  // namespace lab::net
