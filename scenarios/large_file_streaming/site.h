#pragma once
// What the servers have in common, whatever moves their bytes: which requests mean what.
//   GET, HEAD /files/PATH   a file of the root: conditions, ranges (file_request.h)
//   PUT /files/NAME         a new file, or a new version of one
//   everything else         `pages`: /, /echo, /products/{id}, /metrics

#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "file_request.h"
#include "file_server.h"
#include "net/http.h"

namespace large_file_streaming {

struct SiteParts {
  const Root& root;
  Folder& folder;
  std::function<std::unique_ptr<Upload>(Folder&, std::string name)> upload;
  std::function<lab::net::Response(const lab::net::Request&)> pages;
  bool can_gzip = false;
};

/// An answer on its way: its head as bytes, and what of a file follows.
struct Reply {
  std::string head;  // with its body, when that is no file
  File file;
  Slice slice;
  bool gzip = false;  // the body comes in chunks, compressed
  bool keep_alive = true;
  int status = 200;
};

/// Thread-safe.
class Site {
 public:
  explicit Site(SiteParts parts);

  /// Of everything but an upload; the body is there.
  Reply reply(const lab::net::Request& request);

  /// Where the body of this request goes; null when it is no upload.
  std::unique_ptr<Upload> upload(const lab::net::Request& request);
  static Reply uploaded(const lab::net::Request& request, const Result<void>& committed);

 private:
  Reply file(const lab::net::Request& request, std::string_view below);

  SiteParts parts_;
};

/// How long the server waits for others.
struct Patience {
  Nanos stall{};  // for a peer that takes nothing
  Nanos body{};   // for the next bytes of a body
  Nanos idle{};   // for the next request
  /// For a whole request, from its first byte on: a byte now and then meets none of the other limits. A body earns more by
  /// coming at kLeastRate or faster.
  Nanos request{};
};
inline constexpr std::uint64_t kLeastRate = 16 * 1024;  // bytes a second

inline constexpr std::uint64_t kLargestUpload = std::uint64_t{16} << 30;
inline constexpr std::size_t kLargestBody = 1024 * 1024;  // of other requests

lab::net::HttpLimits http_limits();

/// Options of every accepted socket. The stall limit is the kernel's to watch (TCP_USER_TIMEOUT): it counts from the last
/// byte that the peer's kernel took, not from the last that ours did, so a slow reader is not taken for one that stopped.
void prepare_socket(int socket, const Patience& patience);

/// For who comes when there is no place: 503, as far as the socket takes it. Does not block.
void turn_away(int socket);

/// The peer gets a reset instead of an end: what it has is not all.
void reset_on_close(int socket);

}  // namespace large_file_streaming
