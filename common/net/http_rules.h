#pragma once
// The rules for a request's head that stand before any parser. Internal to the room.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace lab::net {

/// Reads a head line by line as its bytes come, and refuses what is not plainly one thing.
class HeadRules {
 public:
  explicit HeadRules(const HttpLimits& limits) : limits_(&limits) {}

  /// `bytes` are all of this message so far. The size of the head with its empty line once it is whole; nothing while it
  /// is not, or when it is refused. An empty line before the request line is part of the head: see skipped().
  std::optional<std::size_t> scan(std::string_view bytes);

  const std::optional<Refusal>& refused() const { return refused_; }
  std::size_t skipped() const { return skipped_; }
  bool expects_continue() const { return expects_continue_; }

 private:
  bool refuse(int status, std::string why);
  bool take_line(std::string_view line);
  bool take_request_line(std::string_view line);
  bool take_field(std::string_view line);
  bool take_framing(std::string_view name, std::string_view value);
  bool take_end();
  bool check_target(std::string_view method, std::string_view target);

  const HttpLimits* limits_;
  std::size_t scanned_ = 0, line_ = 0, skipped_ = 0;
  std::size_t fields_ = 0, hosts_ = 0, lengths_ = 0, codings_ = 0;
  bool has_request_line_ = false, http11_ = false, expects_continue_ = false;
  std::optional<Refusal> refused_;
};

/// The same for a body in chunks: says how many of the bytes are plainly that, so that the parser gets no others.
class ChunkRules {
 public:
  explicit ChunkRules(const HttpLimits& limits) : limits_(&limits) {}

  /// `bytes` go on where the last call's accepted ones ended. How many more are accepted: whole lines and data, no byte
  /// after the body.
  std::size_t accept(std::string_view bytes);
  /// Of the accepted ones the last, which the parser must not see yet: the last chunk's line and the trailers, until they
  /// are whole. It asserts that it meets them in one piece.
  std::size_t held() const { return part_ == Part::trailers ? held_ : 0; }
  const std::optional<Refusal>& refused() const { return refused_; }

 private:
  enum class Part { size, data, data_end, trailers, done };
  bool refuse(int status, std::string why);
  bool take_line(std::string_view line);
  bool take_size(std::string_view line);
  bool take_trailer(std::string_view line);

  const HttpLimits* limits_;
  Part part_ = Part::size;
  std::uint64_t left_ = 0;  // of the data
  std::uint64_t body_ = 0;  // bytes announced so far
  std::size_t trailer_bytes_ = 0;
  std::size_t held_ = 0;
  std::optional<Refusal> refused_;
};

/// Without the spaces and tabs around it.
std::string_view trimmed(std::string_view text);

/// Case-insensitive, ASCII.
bool same_name(std::string_view a, std::string_view b);

/// "http://host:80/path?x" is "/path?x"; anything else is itself.
std::string_view without_authority(std::string_view target);

}  // namespace lab::net
