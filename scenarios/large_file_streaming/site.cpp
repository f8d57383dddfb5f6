#include "site.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "upload_folder.h"

namespace large_file_streaming {
namespace {

using lab::net::Request;
using lab::net::Response;

constexpr std::string_view kFiles = "/files/";

Reply reply_of(const Request& request, Response response) {
  response.keep_alive = response.keep_alive && request.keep_alive;
  response.without_body = request.method == "HEAD";
  return {.head = to_bytes(response), .keep_alive = response.keep_alive, .status = response.status};
}

/// The head of an answer whose length nobody knows yet.
std::string chunked_head(const Response& response) {
  std::string head = head_to_bytes(response, 0);
  constexpr std::string_view kLength = "Content-Length: 0\r\n";
  return head.replace(head.find(kLength), kLength.size(), "Transfer-Encoding: chunked\r\n");
}

std::string_view below_files(const Request& request) {
  const std::string_view path = request.path();
  return path.starts_with(kFiles) ? path.substr(kFiles.size()) : std::string_view();
}

}  // namespace

Site::Site(SiteParts parts) : parts_(std::move(parts)) {}

Reply Site::reply(const Request& request) {
  if (!request.path().starts_with(kFiles)) return reply_of(request, parts_.pages(request));
  if (request.method == "GET" || request.method == "HEAD")
    return file(request, below_files(request));
  Response refused = lab::net::plain(405, "files are read and put\n");
  refused.headers.push_back({"Allow", "GET, HEAD, PUT"});
  return reply_of(request, std::move(refused));
}

Reply Site::file(const Request& request, std::string_view below) {
  const auto path = decoded_path(fmt::format("/{}", below));
  if (!path) return reply_of(request, lab::net::plain(400, "no path\n"));
  auto file = parts_.root.open(*path);
  if (!file && file.error().code == lab::ErrorCode::not_found)
    return reply_of(request, lab::net::plain(404, "no such file\n"));
  const auto facts = file ? facts_of(*file) : Result<FileFacts>(file.error());
  if (!facts) return reply_of(request, lab::net::plain(503, "try again later\n"));
  // HTTP/1.0 knows no chunks.
  const FileAnswer answer = answer_for(request, *facts, parts_.can_gzip && request.minor > 0);
  const std::uint64_t length = answer.slice ? answer.slice->length : 0;
  Reply reply{.head = answer.gzip && answer.slice ? chunked_head(answer.head)
                                                  : head_to_bytes(answer.head, length),
              .keep_alive = answer.head.keep_alive,
              .status = answer.head.status};
  if (request.method == "HEAD" || !answer.slice) return reply;
  reply.file = std::move(*file);
  reply.slice = *answer.slice;
  reply.gzip = answer.gzip;
  return reply;
}

std::unique_ptr<Upload> Site::upload(const Request& request) {
  if (request.method != "PUT") return nullptr;
  const std::string_view name = below_files(request);
  return is_upload_name(name) ? parts_.upload(parts_.folder, std::string(name)) : nullptr;
}

Reply Site::uploaded(const Request& request, const Result<void>& committed) {
  if (committed) return reply_of(request, {.status = 204});
  const bool full = committed.error().code == lab::ErrorCode::exhausted;
  Response failed = lab::net::plain(full ? 507 : 500, committed.error().message + "\n");
  failed.keep_alive = false;  // of its body some may not have been read
  return reply_of(request, std::move(failed));
}

lab::net::HttpLimits http_limits() {
  return {.body_bytes = kLargestUpload, .stream_body = true};
}

void prepare_socket(int socket, const Patience& patience) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto limit_ms = static_cast<unsigned>(patience.stall / std::chrono::milliseconds(1));
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
}

void turn_away(int socket) {
  Response busy = lab::net::plain(503, "too many connections\n");
  busy.keep_alive = false;
  const std::string bytes = to_bytes(busy);
  (void)::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void reset_on_close(int socket) {
  const linger none{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

}  // namespace large_file_streaming
