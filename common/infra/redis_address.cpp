#include <fmt/format.h>

#include <charconv>

#include "infra/redis_client.h"
#include "infra/url.h"

namespace lab::infra {
namespace {

Error bad_address(const RedisAddress& address, std::string_view why) {
  return {ErrorCode::invalid, Happened::no, fmt::format("Redis at {}: {}", address.display(), why)};
}

}  // namespace

Result<RedisAddress> RedisAddress::parse(std::string_view text) {
  auto url = parse_url(text, {"redis", "unix"});
  if (!url) return url.error();
  RedisAddress address;
  address.user = url->user;
  address.password = url->password;
  if (url->scheme == "unix") {
    if (!url->host.empty() || url->path.size() < 2)
      return bad_address(address, "write unix:///path/to.sock");
    address.unix_socket = url->path;
    return address;
  }
  if (url->host.empty()) return bad_address(address, "write redis://host:port");
  address.host = url->host;
  if (url->port != 0) address.port = url->port;
  if (url->path.size() > 1) {
    const char* const end = url->path.data() + url->path.size();
    const auto [stop, failed] = std::from_chars(url->path.data() + 1, end, address.database);
    if (failed != std::errc() || stop != end || address.database < 0) {
      return bad_address(address, "the database after the / is a number");
    }
  }
  return address;
}

std::string RedisAddress::display() const {
  if (!unix_socket.empty()) return unix_socket;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

}  // namespace lab::infra
