#include "file_request.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace large_file_streaming {
namespace {

using lab::net::Request;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> items;
  while (true) {
    const auto comma = list.find(',');
    items.push_back(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    list.remove_prefix(comma + 1);
  }
}

/// Weak comparison: W/ is passed over.
bool any_matches(std::string_view list, const std::string& etag) {
  const auto items = split(list);
  return std::any_of(items.begin(), items.end(), [&](std::string_view item) {
    if (item.starts_with("W/")) item.remove_prefix(2);
    return item == "*" || item == etag;
  });
}

/// Digits only; a number beyond 64 bits is the largest one.
std::optional<std::uint64_t> number(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  std::uint64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return read.ec == std::errc::result_out_of_range ? UINT64_MAX : value;
}

struct Range {
  enum class Kind { none, satisfied, unsatisfiable } kind = Kind::none;
  Slice slice;
};

Range parse_range(std::string_view value, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!value.starts_with(kUnit)) return {};
  const std::string_view spec = trimmed(value.substr(kUnit.size()));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return {};
  const auto first = number(spec.substr(0, dash)), last = number(spec.substr(dash + 1));
  const bool to_the_end = spec.substr(dash + 1).empty(), suffix = spec.substr(0, dash).empty();
  if (suffix) {
    if (!last) return {};
    const std::uint64_t length = std::min(*last, size);
    if (length == 0) return {Range::Kind::unsatisfiable, {}};
    return {Range::Kind::satisfied, {size - length, length}};
  }
  if (!first || (!last && !to_the_end) || (last && *last < *first)) return {};
  if (*first >= size) return {Range::Kind::unsatisfiable, {}};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {Range::Kind::satisfied, {*first, end - *first + 1}};
}

/// A range counts only for the version that the client has a part of; strong comparison.
bool if_range_holds(const std::string& value, const FileFacts& facts) {
  return value.starts_with('"') ? value == facts.etag() : value == facts.last_modified();
}

bool takes_gzip(const Request& request) {
  const auto* accepted = request.header("Accept-Encoding");
  if (!accepted) return false;
  const auto items = split(*accepted);
  return std::any_of(items.begin(), items.end(), [](std::string_view item) {
    const auto coding = trimmed(item.substr(0, item.find(';')));
    const bool refused =
        item.find("q=0") != std::string_view::npos &&
        item.find_first_of("123456789", item.find("q=0")) == std::string_view::npos;
    return coding == "gzip" && !refused;
  });
}

/// The status of the conditions, in the order of section 13.2.2: 412, 304, or 200 to go on.
int judge_conditions(const Request& request, const FileFacts& facts, const std::string& etag) {
  if (const auto* match = request.header("If-Match")) {
    const auto items = split(*match);
    const bool found = std::any_of(items.begin(), items.end(),
                                   [&](auto item) { return item == "*" || item == etag; });
    if (!found) return 412;
  } else if (const auto* since = request.header("If-Unmodified-Since")) {
    const auto date = parse_date(*since);
    if (date && facts.changed_s > *date) return 412;
  }
  if (const auto* none = request.header("If-None-Match"))
    return any_matches(*none, etag) ? 304 : 200;
  if (const auto* since = request.header("If-Modified-Since")) {
    const auto date = parse_date(*since);
    if (date && facts.changed_s <= *date) return 304;
  }
  return 200;
}

}  // namespace

std::string FileFacts::etag() const {
  return fmt::format("\"{:x}-{:x}-{:x}.{:x}\"", number, size, changed_s, changed_ns);
}

std::string FileFacts::last_modified() const {
  const auto time = static_cast<time_t>(changed_s);
  tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  const std::size_t length = ::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text, length};
}

Result<FileFacts> facts_of(const File& file) {
  struct stat found {};
  if (::fstat(file.descriptor(), &found) != 0) return failed("cannot look at a file");
  return FileFacts{.size = static_cast<std::uint64_t>(found.st_size),
                   .changed_s = found.st_mtim.tv_sec,
                   .changed_ns = found.st_mtim.tv_nsec,
                   .number = found.st_ino};
}

std::optional<std::int64_t> parse_date(const std::string& text) {
  tm utc{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  if (!end || *end != '\0') return std::nullopt;
  return ::timegm(&utc);
}

std::optional<std::string> decoded_path(std::string_view target) {
  if (!target.starts_with('/')) return std::nullopt;
  target = target.substr(1, target.find_first_of("?#") - 1);
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      path += target[i];
      continue;
    }
    unsigned value = 0;
    const char* digits = target.data() + i + 1;
    if (i + 2 >= target.size() || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
      return std::nullopt;
    path += static_cast<char>(value);
    i += 2;
  }
  return path;
}

FileAnswer answer_for(const Request& request, const FileFacts& facts, bool can_gzip) {
  const auto* wanted = request.method == "GET" ? request.header("Range") : nullptr;
  FileAnswer answer;
  answer.gzip = can_gzip && !wanted && takes_gzip(request);
  std::string etag = facts.etag();
  // Another representation, with a tag of its own: half of one must not be joined with half of the other.
  if (answer.gzip) etag.insert(etag.size() - 1, "-gzip");
  auto& headers = answer.head.headers;
  answer.head.keep_alive = request.keep_alive;
  headers = {{"ETag", etag},
             {"Last-Modified", facts.last_modified()},
             {"Accept-Ranges", answer.gzip ? "none" : "bytes"}};
  if (can_gzip) headers.push_back({"Vary", "Accept-Encoding"});
  answer.head.status = judge_conditions(request, facts, etag);
  if (answer.head.status != 200) return answer;

  const auto* if_range = request.header("If-Range");
  if (wanted && if_range && !if_range_holds(*if_range, facts)) wanted = nullptr;
  const Range range = wanted ? parse_range(*wanted, facts.size) : Range{};
  if (range.kind == Range::Kind::unsatisfiable) {
    answer.head.status = 416;
    headers.push_back({"Content-Range", fmt::format("bytes */{}", facts.size)});
    return answer;
  }
  headers.push_back({"Content-Type", "application/octet-stream"});
  if (answer.gzip) headers.push_back({"Content-Encoding", "gzip"});
  answer.slice = Slice{0, facts.size};
  if (range.kind == Range::Kind::satisfied) {
    answer.slice = range.slice;
    answer.head.status = 206;
    headers.push_back(
        {"Content-Range", fmt::format("bytes {}-{}/{}", range.slice.offset,
                                      range.slice.offset + range.slice.length - 1, facts.size)});
  }
  return answer;
}

}  // namespace large_file_streaming
