#pragma once
// HTTP/1.1 as plain data, and the way between it and bytes (RFC 9110, RFC 9112). Nothing here touches a socket, so a
// blocking server, a callback and a coroutine use the same. Beast parses; what it would accept and another server would
// read differently is refused before it sees it, because such a difference is how a request is smuggled past a proxy.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab::net {

struct Header {
  std::string name, value;
};

/// The first of that name, whatever its case; null when there is none.
const std::string* find_header(const std::vector<Header>& headers, std::string_view name);

struct Request {
  std::string method;  // "GET"; any token
  std::string target;  // "/products/7?full=1", or "*" of OPTIONS; never with a host
  std::vector<Header> headers;
  std::string body;
  int minor = 1;           // of HTTP/1.x
  bool keep_alive = true;  // may the connection go on after the answer?
  /// It waits for "100 Continue" (kContinue) before it sends its body.
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;  // as announced; none: no body, or one in chunks

  const std::string* header(std::string_view name) const { return find_header(headers, name); }
  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
};

struct Response {
  int status = 200;
  std::vector<Header> headers{};  // without Content-Length, Connection and Date, which are added
  std::string body{};
  bool keep_alive = true;
  bool without_body = false;  // it answers HEAD: Content-Length tells of the body all the same

  const std::string* header(std::string_view name) const { return find_header(headers, name); }
};

/// "Not Found" of 404.
std::string_view reason(int status);

/// A short answer in text/plain.
Response plain(int status, std::string body);

/// The whole answer. 1xx, 204 and 304 have neither body nor length. Throws std::invalid_argument when a header holds a line
/// break or another control character: what came from a client must not write headers (response splitting).
std::string to_bytes(const Response& response);

/// Its head alone, for a body of that length which the caller sends himself; response.body is passed over.
std::string head_to_bytes(const Response& response, std::uint64_t content_length);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

struct HttpLimits {
  std::size_t head_bytes = 8 * 1024;  // request line and headers; also chunk headers and trailers
  std::size_t headers = 100;
  std::uint64_t body_bytes = 1024 * 1024;
  bool stream_body = false;  // the body comes by take_body(), and is never held as a whole
};

/// Why bytes are not taken as HTTP, and what to answer before the connection is closed.
struct Refusal {
  int status = 400;
  std::string why;  // "Content-Length together with Transfer-Encoding"
  Response response() const;
};

/// The server's side: bytes in, requests out. Bytes may come in slices of any size; several requests may come at once
/// (pipelining). Not thread-safe; holds some hundred bytes while it is idle, and at most a head and a body of the
/// limits above what it was fed.
///
/// Refused, beside what the grammar forbids:
///   400  Content-Length with Transfer-Encoding, or twice, or no plain number · Transfer-Encoding in HTTP/1.0, twice, or
///        not ending in chunked · a header line that goes on (obs-fold) · a lone CR or LF · NUL and other control
///        characters · space before the colon · HTTP/1.1 without Host, or with two · a target that is no path (an
///        http:// URI is taken for its path) · bad chunks
///   413  a body above the limit · 414 a request line, 431 headers above the limit
///   417  an Expect that is not 100-continue · 501 CONNECT, or a coding other than chunked · 505 not HTTP/1.0 or 1.1
class RequestReader {
 public:
  explicit RequestReader(HttpLimits limits = {});
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  /// Takes bytes as they came. To keep memory bounded, ask next() until it gives nothing before feeding more.
  void feed(std::string_view bytes);

  /// The next request: nothing while bytes are missing, or after a refusal. With stream_body it is there as soon as its
  /// head is, with an empty body; the next one comes when that body has been taken to its end.
  std::optional<Request> next();

  /// With stream_body: what has come of the body of the request that next() gave last.
  std::string take_body();
  bool body_complete() const;  // true between requests, too

  /// The bytes are no HTTP that is taken here: answer and close. Stays.
  const std::optional<Refusal>& refused() const;

  /// The head of a request has come and its body has not.
  bool waits_for_body() const;
  /// Such a client waits for kContinue before it sends the body. True once for each request.
  bool expects_continue();
  /// Nothing of an unfinished request is here: the moment at which a connection may be closed politely.
  bool idle() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The client's side, for load and tests: bytes in, answers out. As strict as Beast is. Answers of status 1xx are passed
/// over.
class ResponseReader {
 public:
  explicit ResponseReader(HttpLimits limits = {});
  ~ResponseReader();
  ResponseReader(ResponseReader&&) noexcept;
  ResponseReader& operator=(ResponseReader&&) noexcept;

  void feed(std::string_view bytes);
  /// The server has closed its side: it ends a body without a length, and cuts any other.
  void end_of_stream();
  /// The next one's answer has no body, whatever its headers say: it answers HEAD.
  void expect_no_body();

  std::optional<Response> next();  // as RequestReader's
  std::string take_body();
  bool body_complete() const;
  std::optional<std::uint64_t> content_length() const;  // of the answer that next() gave last
  /// What is wrong with the bytes; empty when nothing is.
  const std::string& problem() const;
  bool idle() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::net
