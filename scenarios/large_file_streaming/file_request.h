#pragma once
// What is asked of a file, and the head of the answer: conditions (RFC 9110, section 13) and ranges (section 14). Pure: no
// descriptor, no socket, so every corner of it is a line in a test.
//
// One range is answered with 206, or 416 where nothing of the file is in it. Several ranges are answered with the whole
// file (200), which the RFC allows: overlapping ones are a known way to make a server send much more than it has. What is
// no range ("bytes=7-3", other units) is passed over, as the RFC says.

#include <cstdint>
#include <optional>
#include <string>

#include "file_server.h"
#include "net/http.h"

namespace large_file_streaming {

struct FileFacts {
  std::uint64_t size = 0;
  std::int64_t changed_s = 0;  // since 1970
  std::int64_t changed_ns = 0;
  std::uint64_t number = 0;  // the inode's: a file that was replaced has another

  /// Strong: two versions of a file have different ones, unless one was overwritten in place within a tick of the file
  /// system's clock.
  std::string etag() const;
  std::string last_modified() const;  // "Sun, 06 Nov 1994 08:49:37 GMT"
};

/// Errors: internal (no).
Result<FileFacts> facts_of(const File& file);

struct FileAnswer {
  lab::net::Response head;     // status and headers, without what frames the body
  std::optional<Slice> slice;  // the body; nothing for 304, 412, 416
  bool gzip = false;           // the slice is to be compressed on its way
};

/// Of a GET or HEAD request for this file. `can_gzip`: the server would compress for a client that takes it; ranges are
/// always those of the file as it is.
FileAnswer answer_for(const lab::net::Request& request, const FileFacts& facts, bool can_gzip);

/// The path in a target, decoded once, without the leading slash and the query; nothing when it is no path or a percent sign
/// is not followed by two hex digits. What is decoded is not decoded again, and is not looked at here.
std::optional<std::string> decoded_path(std::string_view target);

/// Seconds since 1970 of an HTTP date as they are written today (IMF-fixdate).
std::optional<std::int64_t> parse_date(const std::string& text);

}  // namespace large_file_streaming
