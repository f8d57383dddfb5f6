#include "infra/url.h"

#include <Poco/Exception.h>
#include <Poco/URI.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lab::infra {
namespace {

/// The text without what stands between "//" and "@": also a URL that makes no sense may hold a
/// password.
std::string without_password(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos) return std::string(text);
  const auto start = text.find("//");
  const bool has_scheme = start != std::string_view::npos && start < at;
  return fmt::format("{}…{}", has_scheme ? text.substr(0, start + 2) : "", text.substr(at));
}

Error bad_url(std::string_view text, std::string_view why) {
  return {ErrorCode::invalid, Happened::no,
          fmt::format("address \"{}\": {}", without_password(text), why)};
}

Result<Url> take_apart(std::string_view text, const Poco::URI& uri) {
  Url url;
  url.scheme = uri.getScheme();
  const std::string& user_info = uri.getUserInfo();
  const auto colon = user_info.find(':');
  Poco::URI::decode(user_info.substr(0, colon), url.user);
  if (colon != std::string::npos) Poco::URI::decode(user_info.substr(colon + 1), url.password);
  url.host = uri.getHost();
  url.port = uri.getPort();
  url.path = uri.getPath();
  for (const auto& [key, value] : uri.getQueryParameters()) {
    if (key != "socket") return bad_url(text, "the only parameter is ?socket=/path");
    url.socket = value;
  }
  if (url.host.find('%') != std::string::npos)
    return bad_url(text, "the host has an odd character");
  for (const std::string* part : {&url.user, &url.password, &url.host, &url.path, &url.socket}) {
    if (part->find('\0') != std::string::npos) return bad_url(text, "contains a zero byte");
  }
  return url;
}

}  // namespace

std::string encoded(std::string_view text, std::string_view kept) {
  static constexpr std::string_view safe =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
  std::string result;
  for (const char c : text) {
    if (safe.find(c) != std::string_view::npos || kept.find(c) != std::string_view::npos) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

Result<Url> parse_url(std::string_view text, std::initializer_list<std::string_view> schemes) {
  const auto scheme = text.substr(0, text.find("://"));
  if (scheme.size() == text.size() ||
      std::find(schemes.begin(), schemes.end(), scheme) == schemes.end()) {
    return bad_url(text, fmt::format("must begin with {}://", fmt::join(schemes, ":// or ")));
  }
  try {
    return take_apart(text, Poco::URI(std::string(text)));
  } catch (const Poco::Exception& error) {
    return bad_url(text, "is no URL");
  }
}

}  // namespace lab::infra
