// What well-behaved clients ask.
#include "probes.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t kNowAndThen = 4 * kMiB;
constexpr std::size_t kAtOnce = 256 * kKiB;
constexpr std::size_t kEnough = 64 * kKiB;  // of a body that should not be there

std::string target(const std::string& name) {
  return "/files/" + name;
}

struct Condition {
  std::string asked;  // header lines; the first word is the method, when it is HEAD
  std::string headers;
  int wanted = 200;
  Slice slice;  // of the body
  std::string method = "GET";
};

std::vector<Condition> conditions(const std::string& etag, const std::string& modified,
                                  std::uint64_t size) {
  const Slice whole{0, size}, none{}, part{5, 10};
  const std::string past = "Sun, 06 Nov 1994 08:49:37 GMT", range = "Range: bytes=5-14\r\n";
  const auto line = [](std::string name, const std::string& value) {
    return std::move(name) + ": " + value + "\r\n";
  };
  const std::string none_match = "If-None-Match", since = "If-Modified-Since", match = "If-Match",
                    unmodified = "If-Unmodified-Since", if_range = "If-Range";
  return {
      {"HEAD", "", 200, none, "HEAD"},
      {"HEAD with a range", range, 200, none, "HEAD"},
      {"If-None-Match: its tag", line(none_match, etag), 304, none},
      {"If-None-Match: its tag, weak", line(none_match, "W/" + etag), 304, none},
      {"If-None-Match: its tag among others", line(none_match, "\"a\", " + etag), 304, none},
      {"If-None-Match: *", line(none_match, "*"), 304, none},
      {"If-None-Match: another tag", line(none_match, "\"other\""), 200, whole},
      {"If-None-Match: its tag, with a range", line(none_match, etag) + range, 304, none},
      {"If-None-Match: its tag, HEAD", line(none_match, etag), 304, none, "HEAD"},
      {"If-None-Match: another tag, though not modified",
       line(none_match, "\"other\"") + line(since, modified), 200, whole},
      {"If-Modified-Since: its time", line(since, modified), 304, none},
      {"If-Modified-Since: long ago", line(since, past), 200, whole},
      {"If-Modified-Since: no date", line(since, "yesterday"), 200, whole},
      {"If-Match: its tag", line(match, etag), 200, whole},
      {"If-Match: another tag", line(match, "\"other\""), 412, none},
      {"If-Match: its tag, weak", line(match, "W/" + etag), 412, none},
      {"If-Unmodified-Since: its time", line(unmodified, modified), 200, whole},
      {"If-Unmodified-Since: long ago", line(unmodified, past), 412, none},
      {"If-Range: its tag", line(if_range, etag) + range, 206, part},
      {"If-Range: another tag", line(if_range, "\"other\"") + range, 200, whole},
      {"If-Range: its tag, weak", line(if_range, "W/" + etag) + range, 200, whole},
      {"If-Range: its time", line(if_range, modified) + range, 206, part},
      {"If-Range: long ago", line(if_range, past) + range, 200, whole},
      {"If-Range: another tag, range out of reach",
       line(if_range, "\"other\"") + "Range: bytes=99999999-\r\n", 200, whole},
  };
}

ConditionAnswer ask_condition(int port, const std::string& name, std::uint64_t version,
                              const Condition& condition) {
  Client client(port);
  Follower follower(version, condition.slice.offset);
  client.ask(condition.method, target(name), condition.headers);
  const Answer answer =
      client.receive([&](auto bytes) { return follower.take(bytes); }, condition.method == "HEAD");
  return {.asked = condition.asked,
          .wanted = condition.wanted,
          .status = answer.status,
          .body_right = answer.ending == Ending::complete && follower.right() &&
                        answer.bytes == condition.slice.length,
          .ending = follower.right() ? answer.ending : Ending::complete,
          .waited = answer.waited};
}

}  // namespace

MemorySplit memory_of(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/status", process));
  MemorySplit split;
  for (std::string line; std::getline(file, line);) {
    std::uint64_t kib = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %lu kB", &kib) == 1) split.anonymous_bytes = kib * kKiB;
    if (std::sscanf(line.c_str(), "RssFile: %lu kB", &kib) == 1) split.mapped_bytes = kib * kKiB;
  }
  return split;
}

bool Follower::take(std::span<const char> bytes) {
  wanted_.resize(std::max(wanted_.size(), bytes.size()));
  const auto wanted = std::span(wanted_).first(bytes.size());
  fill(wanted, version_, offset_);
  right_ = right_ && std::memcmp(wanted.data(), bytes.data(), bytes.size()) == 0;
  offset_ += bytes.size();
  return right_;
}

Comparison::Comparison(const fs::path& file) : file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!file_) throw lab::Failure(failed("cannot read " + file.string()));
}

void Comparison::take(std::span<const char> bytes) {
  wanted_.resize(std::max(wanted_.size(), bytes.size()));
  while (right_ && !bytes.empty()) {
    const auto got = read_at(file_.descriptor(), std::span(wanted_).first(bytes.size()), same_);
    const std::size_t count = got ? *got : 0;
    right_ = count > 0 && std::memcmp(bytes.data(), wanted_.data(), count) == 0;
    const auto same = bytes.first(count);
    same_ +=
        right_ ? count
               : static_cast<std::size_t>(
                     std::mismatch(same.begin(), same.end(), wanted_.begin()).first - same.begin());
    bytes = bytes.subspan(count);
  }
}

void Comparison::tell(Transfer& transfer) const {
  transfer.same = same_;
  transfer.right = right_;
}

Transfer download(int port, const fs::path& file, bool gzip,
                  const std::function<void()>& at_times) {
  Transfer transfer{.size = fs::file_size(file), .gzip = gzip};
  Client client(port, {.at_once = kAtOnce});
  Comparison comparison(file);
  std::uint64_t since = kNowAndThen;
  const auto keep = [&](std::span<const char> bytes) {
    comparison.take(bytes);
    since += bytes.size();
    if (since >= kNowAndThen && at_times) {
      since = 0;
      at_times();
    }
    return true;
  };
  Gunzip gunzip(keep);
  client.ask("GET", target(file.filename()), gzip ? "Accept-Encoding: gzip\r\n" : "");
  const Answer answer =
      gzip ? client.receive([&](auto bytes) { return gunzip.add(bytes); }) : client.receive(keep);
  transfer.status = answer.status;
  transfer.ending = answer.ending;
  transfer.waited = answer.waited;
  const bool coded = answer.header("Content-Encoding") == "gzip";
  transfer.coded_as_asked =
      gzip == coded && (!gzip || gunzip.complete() || answer.ending != Ending::complete);
  comparison.tell(transfer);
  return transfer;
}

Transfer upload(int port, const fs::path& root, const std::string& name, std::uint64_t version,
                std::uint64_t size, const std::function<void()>& at_times) {
  Transfer transfer{.size = size};
  Client client(port, {.limit = 60s});  // a disk that syncs gigabytes may take its time
  std::vector<char> piece(std::min<std::uint64_t>(size, kBuffer));
  bool sent = client.ask("PUT", target(name), fmt::format("Content-Length: {}\r\n", size));
  std::uint64_t since = kNowAndThen;
  for (std::uint64_t at = 0; at < size && sent;) {
    const auto bytes = std::span(piece).first(std::min<std::uint64_t>(piece.size(), size - at));
    fill(bytes, version, at);
    sent = client.send(bytes);
    at += bytes.size();
    since += bytes.size();
    if (since < kNowAndThen || !at_times) continue;
    since = 0;
    at_times();
  }
  const Answer answer = client.receive();
  transfer.status = answer.status;
  transfer.ending = answer.ending;
  transfer.waited = answer.waited;
  if (answer.status / 100 != 2) return transfer;
  Comparison comparison(root / name);
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    const auto bytes = std::span(piece).first(std::min<std::uint64_t>(piece.size(), size - at));
    fill(bytes, version, at);
    comparison.take(bytes);
  }
  comparison.tell(transfer);
  transfer.right = transfer.right && fs::file_size(root / name) == size;
  return transfer;
}

std::vector<RangeAnswer> ask_ranges(int port, const std::string& name, std::uint64_t version,
                                    const std::vector<RangeQuestion>& questions) {
  std::vector<RangeAnswer> answers;
  auto client = std::make_unique<Client>(port);
  for (const auto& question : questions) {
    Follower follower(version, question.slice.offset);
    client->ask("GET", target(name), "Range: " + question.value + "\r\n");
    const Answer answer = client->receive([&](auto bytes) { return follower.take(bytes); });
    answers.push_back({.question = question,
                       .status = answer.status,
                       .content_range = answer.header("Content-Range"),
                       .bytes = answer.bytes,
                       .bytes_right = follower.right(),
                       .ending = answer.ending,
                       .waited = answer.waited});
    const bool keeps = answer.ending == Ending::complete && follower.right();
    if (!keeps) client = std::make_unique<Client>(port);
  }
  return answers;
}

std::vector<ConditionAnswer> ask_conditions(int port, const fs::path& file, std::uint64_t version,
                                            std::uint64_t size) {
  const std::string name = file.filename();
  const auto head = [&] {
    Client client(port);
    client.ask("HEAD", target(name));
    return client.receive({}, true);
  };
  const Answer first = head();
  const std::string etag = first.header("ETag");
  std::vector<ConditionAnswer> answers{
      {"HEAD: the length", 200, first.status,
       first.header("Content-Length") == std::to_string(size) && !etag.empty()}};
  for (const auto& condition : conditions(etag, first.header("Last-Modified"), size))
    answers.push_back(ask_condition(port, name, version, condition));
  const fs::path next = file.string() + ".next";
  make_file(next, content(version + 1, size));
  fs::rename(next, file);
  const Slice whole{0, size};
  for (const Condition& condition :
       {Condition{"If-None-Match: the tag of a version that is gone",
                  "If-None-Match: " + etag + "\r\n", 200, whole},
        Condition{"If-Range: the tag of a version that is gone",
                  "If-Range: " + etag + "\r\nRange: bytes=5-14\r\n", 200, whole}})
    answers.push_back(ask_condition(port, name, version + 1, condition));
  return answers;
}

std::vector<PathAnswer> ask_paths(int port, const fs::path& root, const std::string& canary) {
  std::vector<PathAnswer> answers;
  for (const auto& question : path_questions(root)) {
    Client client(port, {.limit = 3s});
    std::string body;
    client.ask("GET", question.target);
    const Answer answer = client.receive([&](std::span<const char> bytes) {
      body.append(bytes.data(), bytes.size());
      return body.size() < kEnough;
    });
    answers.push_back({.question = question,
                       .status = answer.status,
                       .canary = body.find(canary) != std::string::npos,
                       .inside = body == kInsideText,
                       .silent = answer.ending == Ending::silent});
  }
  return answers;
}

std::size_t unfinished_uploads(const fs::path& root) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(root))
    count += entry.path().filename().string().starts_with(".upload-") ? 1 : 0;
  return count;
}

}  // namespace large_file_streaming
