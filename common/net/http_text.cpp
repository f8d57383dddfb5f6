#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>

#include "net/http.h"
#include "net/http_rules.h"

namespace lab::net {
namespace {

/// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
std::string_view http_date() {
  thread_local std::time_t made_for = -1;
  thread_local std::array<char, 32> text{};
  const std::time_t today = std::time(nullptr);
  if (today != made_for) {
    static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                      "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&today, &utc);
    const auto end =
        fmt::format_to_n(text.data(), text.size() - 1, "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                         kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                         kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900,
                         utc.tm_hour, utc.tm_min, utc.tm_sec);
    *end.out = '\0';
    made_for = today;
  }
  return text.data();
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool never_has_a_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

void append_head(std::string& bytes, const Response& response, std::uint64_t length) {
  const auto into = std::back_inserter(bytes);
  fmt::format_to(into, "HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
  for (const auto& [name, value] : response.headers) {
    if (has_control(name) || has_control(value) || name.empty() ||
        name.find(':') != std::string::npos)
      throw std::invalid_argument("a header that would break the head: " + name);
    bytes += name;
    bytes += ": ";
    bytes += value;
    bytes += "\r\n";
  }
  if (!never_has_a_body(response.status)) fmt::format_to(into, "Content-Length: {}\r\n", length);
  bytes += "Date: ";
  bytes += http_date();
  bytes += response.keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
}

}  // namespace

const std::string* find_header(const std::vector<Header>& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (same_name(header.name, name)) return &header.value;
  }
  return nullptr;
}

std::string_view reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

Response plain(int status, std::string body) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = std::move(body)};
}

Response Refusal::response() const {
  Response response = plain(status, why + "\n");
  response.keep_alive = false;
  return response;
}

std::string to_bytes(const Response& response) {
  std::string bytes;
  bytes.reserve(160 + response.body.size());
  append_head(bytes, response, response.body.size());
  if (!response.without_body && !never_has_a_body(response.status)) bytes += response.body;
  return bytes;
}

std::string head_to_bytes(const Response& response, std::uint64_t content_length) {
  std::string bytes;
  append_head(bytes, response, content_length);
  return bytes;
}

}  // namespace lab::net
