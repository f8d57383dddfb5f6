#include "net/web_socket_handshake.h"

#include <Poco/Base64Decoder.h>
#include <Poco/Base64Encoder.h>
#include <Poco/SHA1Engine.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <random>
#include <sstream>
#include <vector>

#include "net/http.h"
#include "net/http_rules.h"

namespace lab::net {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kKeyBytes = 16;
constexpr std::string_view kEndOfHead = "\r\n\r\n";

std::string base64(std::string_view bytes) {
  std::ostringstream text;
  Poco::Base64Encoder encoder(text);
  encoder.rdbuf()->setLineLength(0);
  encoder.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  encoder.close();
  return text.str();
}

std::size_t decoded_bytes(const std::string& text) {
  std::istringstream source(text);
  Poco::Base64Decoder decoder(source);
  std::size_t bytes = 0;
  for (char c = 0; decoder.get(c);) ++bytes;
  return bytes;
}

std::string accept_of(std::string_view key) {
  Poco::SHA1Engine sha1;
  sha1.update(key.data(), key.size());
  sha1.update(kGuid.data(), kGuid.size());
  const auto& digest = sha1.digest();
  return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Upgrade refused(int status, std::string why) {
  Upgrade upgrade;
  upgrade.status = status;
  upgrade.why = std::move(why);
  return upgrade;
}

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

/// "keep-alive, Upgrade" has the token "upgrade".
bool has_token(const std::string* list, std::string_view token) {
  for (std::string_view rest = list ? std::string_view(*list) : ""; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    if (same(trimmed(rest.substr(0, comma)), token)) return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

std::size_t count(const Request& request, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [&](const Header& header) { return same(header.name, name); }));
}

Upgrade decide(const Request& request) {
  if (request.method != "GET") return refused(405, "a WebSocket begins with GET");
  if (request.minor != 1) return refused(400, "a WebSocket needs HTTP/1.1");
  if (!has_token(request.header("Connection"), "upgrade") ||
      !has_token(request.header("Upgrade"), "websocket"))
    return refused(426, "this is a WebSocket server");
  const auto* version = request.header("Sec-WebSocket-Version");
  if (!version || *version != "13") return refused(426, "Sec-WebSocket-Version is to be 13");
  const auto* key = request.header("Sec-WebSocket-Key");
  if (count(request, "Sec-WebSocket-Key") != 1 || key->size() != 24 ||
      decoded_bytes(*key) != kKeyBytes)
    return refused(400, "Sec-WebSocket-Key is to be 16 bytes in base64");
  Upgrade upgrade;
  upgrade.key = *key;
  upgrade.target = request.target;
  return upgrade;
}

}  // namespace

std::optional<Upgrade> read_upgrade(std::string_view bytes) {
  const auto end = bytes.find(kEndOfHead);
  if (end == std::string_view::npos && bytes.size() < kHandshakeBytes) return std::nullopt;
  const std::size_t size = std::min(end, bytes.size() - kEndOfHead.size()) + kEndOfHead.size();
  RequestReader reader({.head_bytes = kHandshakeBytes, .body_bytes = 0});
  reader.feed(bytes.substr(0, size));
  const auto request = reader.next();
  if (const auto& why = reader.refused()) return refused(why->status, why->why);
  if (!request) return refused(400, "a WebSocket request has no body");
  Upgrade upgrade = decide(*request);
  upgrade.size = size;
  return upgrade;
}

std::string accept_upgrade(std::string_view key) {
  return fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: {}\r\n\r\n",
      accept_of(key));
}

std::string refuse_upgrade(int status, std::string_view why) {
  Response answer = plain(status, std::string(why) + "\n");
  answer.keep_alive = false;
  if (status == 405) answer.headers.push_back({"Allow", "GET"});
  if (status == 426) {
    answer.headers.push_back({"Upgrade", "websocket"});
    answer.headers.push_back({"Sec-WebSocket-Version", "13"});
  }
  return to_bytes(answer);
}

std::string new_key() {
  std::random_device random;
  std::string bytes;
  while (bytes.size() < kKeyBytes) bytes += static_cast<char>(random() & 0xff);
  return base64(bytes);
}

std::string ask_upgrade(std::string_view host, std::string_view target, std::string_view key) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n\r\n",
      target, host, key);
}

Result<std::optional<std::size_t>> read_upgrade_answer(std::string_view bytes,
                                                       std::string_view key) {
  const auto error = [](ErrorCode code, std::string why) {
    return Error{code, Happened::no, std::move(why)};
  };
  const auto end = bytes.find(kEndOfHead);
  if (end == std::string_view::npos) {
    if (bytes.size() < kHandshakeBytes) return std::optional<std::size_t>();
    return error(ErrorCode::protocol, "an answer without end");
  }
  std::vector<Header> headers;
  const std::string_view head = bytes.substr(0, end);
  const std::string_view first = head.substr(0, head.find("\r\n"));
  for (auto at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return error(ErrorCode::protocol, "no HTTP answer");
    headers.push_back(
        {std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
  }
  if (!first.starts_with("HTTP/1.1 101"))
    return error(ErrorCode::refused, fmt::format("the server answered '{}'", first));
  const auto* accept = find_header(headers, "Sec-WebSocket-Accept");
  if (!accept || *accept != accept_of(key))
    return error(ErrorCode::protocol, "Sec-WebSocket-Accept is not the key's");
  return std::optional<std::size_t>(end + kEndOfHead.size());
}

Result<WebSocketUrl> parse_web_socket_url(std::string_view url) {
  const Error invalid{ErrorCode::invalid, Happened::no,
                      fmt::format("'{}' is no ws://HOST:PORT/PATH", url)};
  constexpr std::string_view kScheme = "ws://";
  if (!url.starts_with(kScheme)) return invalid;
  url.remove_prefix(kScheme.size());
  WebSocketUrl parsed;
  const auto slash = std::min(url.find('/'), url.size());
  if (slash < url.size()) parsed.target = url.substr(slash);
  const std::string_view authority = url.substr(0, slash);
  const auto colon = authority.rfind(':');
  parsed.host = authority.substr(0, colon);
  if (colon != std::string_view::npos) {
    const auto digits = authority.substr(colon + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || parsed.port < 1 ||
        parsed.port > 65535)
      return invalid;
  }
  if (parsed.host.empty()) return invalid;
  return parsed;
}

}  // namespace lab::net
