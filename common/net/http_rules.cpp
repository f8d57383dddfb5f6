#include "net/http_rules.h"

#include <algorithm>
#include <array>

namespace lab::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// RFC 9110, 5.6.2.
bool is_token_char(char c) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
         kMarks.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

bool is_target_char(char c) {
  return c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\' &&
         c != '^' && c != '`' && c != '{' && c != '|' && c != '}';
}

/// Letters, digits, marks of a host name, IPv6 in brackets, and a port.
bool is_host(std::string_view text) {
  static constexpr std::string_view kMarks = "-._~%!$&'()*+,;=:[]";
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

constexpr std::string_view kScheme = "http://";

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view without_authority(std::string_view target) {
  if (target.size() < kScheme.size() || !same_name(target.substr(0, kScheme.size()), kScheme))
    return target;
  const auto slash = target.find('/', kScheme.size());
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

bool HeadRules::refuse(int status, std::string why) {
  refused_ = Refusal{status, std::move(why)};
  return false;
}

std::optional<std::size_t> HeadRules::scan(std::string_view bytes) {
  while (!refused_) {
    const auto end = bytes.find('\n', scanned_);
    const auto whole = end == std::string_view::npos ? bytes.size() : end + 1;
    if (whole > limits_->head_bytes) {
      has_request_line_ ? refuse(431, "headers above the limit")
                        : refuse(414, "a request line above the limit");
      return std::nullopt;
    }
    if (end == std::string_view::npos) {
      scanned_ = bytes.size();
      return std::nullopt;
    }
    scanned_ = whole;
    if (end == line_ || bytes[end - 1] != '\r') {
      refuse(400, "a line that ends in LF alone");
      return std::nullopt;
    }
    const std::string_view line = bytes.substr(line_, end - 1 - line_);
    line_ = whole;
    if (!take_line(line)) return std::nullopt;
    if (line.empty() && has_request_line_ && take_end()) return whole;
  }
  return std::nullopt;
}

bool HeadRules::take_line(std::string_view line) {
  if (std::any_of(line.begin(), line.end(), is_control))
    return refuse(400, "a control character in the head");
  if (!has_request_line_) {
    // What some clients send after a body (RFC 9112, 2.2): one is passed over.
    if (line.empty() && skipped_ == 0) {
      skipped_ = 2;
      return true;
    }
    return take_request_line(line);
  }
  return line.empty() || take_field(line);
}

bool HeadRules::take_request_line(std::string_view line) {
  const auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return refuse(400, "a request line that is not method, target, version");
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method)) return refuse(400, "a method that is no token");
  const bool http = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                    version[6] == '.' && is_digit(version[7]);
  if (!http) return refuse(400, "a request line that is not method, target, version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "not HTTP/1.0 or 1.1");
  http11_ = version.back() == '1';
  has_request_line_ = true;
  return check_target(method, target);
}

bool HeadRules::check_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") return refuse(501, "CONNECT is not offered");
  if (target == "*") return method == "OPTIONS" || refuse(400, "a target that is no path");
  if (!std::all_of(target.begin(), target.end(), is_target_char))
    return refuse(400, "a character in the target that must be encoded");
  if (!target.starts_with('/')) {
    const auto path = without_authority(target);
    if (path.data() == target.data()) return refuse(400, "a target that is no path");
    const auto rest = target.substr(kScheme.size());
    const auto host = rest.substr(0, rest.find('/'));
    if (host.empty() || !is_host(host)) return refuse(400, "a target without a host");
  }
  return true;
}

bool HeadRules::take_field(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t')
    return refuse(400, "a header that goes on in the next line");
  if (++fields_ > limits_->headers) return refuse(431, "too many headers");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return refuse(400, "a header without a colon");
  const auto name = line.substr(0, colon);
  if (!is_token(name)) return refuse(400, "a header name that is no token");
  return take_framing(name, trimmed(line.substr(colon + 1)));
}

bool HeadRules::take_framing(std::string_view name, std::string_view value) {
  if (same_name(name, "Content-Length")) {
    if (++lengths_ > 1) return refuse(400, "Content-Length twice");
    if (value.empty() || value.size() > 18 || !std::all_of(value.begin(), value.end(), is_digit))
      return refuse(400, "a Content-Length that is no plain number");
  } else if (same_name(name, "Transfer-Encoding")) {
    if (++codings_ > 1) return refuse(400, "Transfer-Encoding twice");
    if (!http11_) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (!same_name(value, "chunked")) {
      const auto last = trimmed(value.substr(value.rfind(',') + 1));
      return same_name(last, "chunked")
                 ? refuse(501, "a coding other than chunked")
                 : refuse(400, "Transfer-Encoding without chunked at its end");
    }
  } else if (same_name(name, "Host")) {
    if (++hosts_ > 1) return refuse(400, "Host twice");
    if (!is_host(value)) return refuse(400, "a Host that is none");
  } else if (same_name(name, "Expect")) {
    if (!same_name(value, "100-continue")) return refuse(417, "an unknown expectation");
    expects_continue_ = http11_;
  }
  return true;
}

bool HeadRules::take_end() {
  if (lengths_ > 0 && codings_ > 0)
    return refuse(400, "Content-Length together with Transfer-Encoding");
  if (http11_ && hosts_ == 0) return refuse(400, "HTTP/1.1 without Host");
  return true;
}

bool ChunkRules::refuse(int status, std::string why) {
  refused_ = Refusal{status, std::move(why)};
  return false;
}

std::size_t ChunkRules::accept(std::string_view bytes) {
  std::size_t accepted = 0;
  while (!refused_ && part_ != Part::done && accepted < bytes.size()) {
    const auto rest = bytes.substr(accepted);
    if (part_ == Part::data) {
      const auto taken = std::min<std::uint64_t>(left_, rest.size());
      accepted += taken;
      left_ -= taken;
      if (left_ == 0) part_ = Part::data_end;
      continue;
    }
    const auto end = rest.find('\n');
    const auto whole = end == std::string_view::npos ? rest.size() : end + 1;
    if (trailer_bytes_ + whole > limits_->head_bytes) {
      refuse(431, "a chunk's header or trailers above the limit");
    } else if (part_ == Part::data_end &&
               !std::string_view("\r\n").starts_with(rest.substr(0, 2))) {
      refuse(400, "a chunk that is longer than it says");
    } else if (end == std::string_view::npos) {
      return accepted;
    } else if (end == 0 || rest[end - 1] != '\r') {
      refuse(400, "a line that ends in LF alone");
    } else if (take_line(rest.substr(0, end - 1))) {
      accepted += whole;
      if (part_ == Part::trailers) held_ += whole;
    }
  }
  return accepted;
}

bool ChunkRules::take_line(std::string_view line) {
  if (std::any_of(line.begin(), line.end(), is_control))
    return refuse(400, "a control character between chunks");
  if (part_ == Part::data_end) {
    part_ = Part::size;
    return true;
  }
  return part_ == Part::size ? take_size(line) : take_trailer(line);
}

bool ChunkRules::take_size(std::string_view line) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t digits = 0;
  left_ = 0;
  for (; digits < line.size(); ++digits) {
    const auto value = kHex.find(lower(line[digits]));
    if (value == std::string_view::npos) break;
    if (digits == 15) return refuse(413, "a body above the limit");
    left_ = left_ * 16 + value;
  }
  const auto extension = line.substr(digits);
  // In quotes the parser would look beyond the line.
  const bool odd = std::count(extension.begin(), extension.end(), '"') % 2 != 0 ||
                   extension.find('\\') != std::string_view::npos;
  if (digits == 0 || odd || (!extension.empty() && extension.front() != ';'))
    return refuse(400, "a chunk without a plain size");
  if (left_ > limits_->body_bytes - body_) return refuse(413, "a body above the limit");
  body_ += left_;
  part_ = left_ == 0 ? Part::trailers : Part::data;
  return true;
}

bool ChunkRules::take_trailer(std::string_view line) {
  if (line.empty()) {
    part_ = Part::done;
    return true;
  }
  trailer_bytes_ += line.size() + 2;
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return refuse(400, "a trailer that is no header");
  const auto name = line.substr(0, colon);
  for (const char* const framing : {"Content-Length", "Transfer-Encoding", "Host", "Trailer"}) {
    if (same_name(name, framing)) return refuse(400, "a trailer that must be a header");
  }
  return true;
}

}  // namespace lab::net
