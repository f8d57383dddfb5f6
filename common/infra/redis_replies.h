#pragma once
// From the bytes that Redis sends to replies; hiredis reads the protocol.

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "infra/redis.h"

namespace lab::infra {

/// What an error answer of the server becomes: `invalid`, native_code its first word ("WRONGTYPE").
Error server_error(std::string_view text);

/// Takes bytes as they come, in slices of any size. Not thread-safe.
class RedisReplies {
 public:
  RedisReplies();
  ~RedisReplies();
  RedisReplies(RedisReplies&&) noexcept;

  Result<void> feed(std::string_view bytes);

  /// Appends up to `most` complete replies and says how many. An error answer is that reply's own
  /// Error, also when it is one element of an array. Bytes that are no protocol are the outer Error
  /// (`protocol`): from then on the reader is of no use.
  Result<std::size_t> take(std::size_t most, std::vector<Result<RedisReply>>& replies);

  /// Are there bytes that no reply has used yet?
  bool leftover() const;

 private:
  struct Reader;
  std::unique_ptr<Reader> reader_;
};

}  // namespace lab::infra
