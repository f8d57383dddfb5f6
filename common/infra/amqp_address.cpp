#include <fmt/format.h>

#include <algorithm>

#include "infra/amqp.h"
#include "infra/url.h"

namespace lab::infra {

Result<AmqpAddress> AmqpAddress::parse(std::string_view text) {
  auto url = parse_url(text, {"amqp"});
  if (!url) return url.error();
  AmqpAddress address;
  const auto bad = [&](std::string_view why) {
    return Error{ErrorCode::invalid, Happened::no,
                 fmt::format("RabbitMQ at {}: {}", address.display(), why)};
  };
  if (url->host.empty()) return bad("write amqp://user:password@host:port/vhost");
  address.host = url->host;
  if (url->port != 0) address.port = url->port;
  if (!url->socket.empty()) return bad("it has no Unix socket; leave ?socket= out");
  if (!url->user.empty()) {
    address.user = url->user;
    address.password = url->password;
  }
  // "amqp://host" and "amqp://host/" mean the default vhost, which is called "/".
  if (url->path.size() > 1) address.vhost = url->path.substr(1);
  // A second '/' that was not written as %2f is a slip; an encoded one is the vhost's own.
  const auto authority = text.find("//") + 2;
  const auto path = text.substr(std::min(text.find('/', authority), text.size()));
  if (path.size() > 1 && path.find('/', 1) != std::string_view::npos) {
    return bad("after the host comes one vhost; write / in its name as %2f");
  }
  return address;
}

std::string AmqpAddress::display() const {
  const auto place = host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                                         : fmt::format("[{}]:{}", host, port);
  return vhost == "/" ? place : fmt::format("{}/{}", place, vhost);
}

}  // namespace lab::infra
