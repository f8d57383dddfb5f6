#pragma once
// One connection to Redis: the part of the client that knows hiredis and sockets.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "infra/deadline.h"
#include "infra/redis_client.h"
#include "infra/redis_replies.h"

namespace lab::infra {

/// Appends the command in Redis's wire format.
void append_command(std::string& requests, std::span<const std::string_view> words);

/// For one thread at a time. After any error of exchange() the connection is of no more use.
class RedisConnection {
 public:
  /// Connected, authenticated, database chosen. Errors: refused, timeout, exhausted (no
  /// descriptors); all happened no.
  static Result<std::unique_ptr<RedisConnection>> open(const RedisAddress& address,
                                                       const Deadline& deadline);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  /// Sends the requests in one write and reads `count` answers, appended to `replies` as they come,
  /// so that on an error the caller knows which ones did arrive. An error with happened `no` means
  /// that not one byte was sent.
  Result<void> exchange(std::string_view requests, std::size_t count, const Deadline& deadline,
                        std::vector<Result<RedisReply>>& replies);

  /// Closed by the other side while nobody used it? One system call when it was last used more than
  /// a millisecond ago; in a busy pool no call at all, there the answers themselves tell.
  bool stale();

 private:
  struct Hiredis;
  explicit RedisConnection(std::unique_ptr<Hiredis> hiredis, std::string peer);
  Result<void> introduce(const RedisAddress& address, const Deadline& deadline);
  Result<void> send(std::string_view requests, const Deadline& deadline);
  Result<void> receive(std::size_t count, const Deadline& deadline,
                       std::vector<Result<RedisReply>>& replies);
  Result<void> receive_some(const Deadline& deadline, bool first);
  void set_kernel_limit(std::optional<Nanos> limit);
  Error error(ErrorCode code, Happened happened, std::string_view why) const;

  std::unique_ptr<Hiredis> hiredis_;
  RedisReplies replies_;
  std::string peer_;                   // for messages
  std::optional<Nanos> kernel_limit_;  // what SO_RCVTIMEO is set to
  Instant last_used_ = now();
};

}  // namespace lab::infra
