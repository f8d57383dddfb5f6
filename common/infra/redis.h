#pragma once
// Redis behind a small interface: the real one over hiredis (infra/redis_client.h) and an embedded
// twin (infra/embedded_redis.h). One contract suite runs on both:
// tests/contract/redis_contract_test.cpp.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::infra {

/// One answer in RESP2's shapes. An error answer of the server ("WRONGTYPE …") is not a Reply but
/// an Error of code `invalid` (happened: no), so that nobody takes it for a value.
struct RedisReply {
  enum class Type { nil, status, integer, text, array };
  Type type = Type::nil;
  std::int64_t integer = 0;
  std::string text{};  // status and text
  std::vector<RedisReply> items{};

  bool is_nil() const { return type == Type::nil; }
};

/// How long a caller is willing to wait for one command, from the call to the whole answer. Without
/// a limit the call waits for ever, as most client libraries do until they are told otherwise.
struct RedisCall {
  std::optional<Nanos> timeout;
};

struct RedisSet {
  std::optional<std::chrono::milliseconds> ttl;  // PX
  bool only_if_absent = false;                   // NX
};

/// Thread-safe: any number of threads may call at once, each call waits for its own answer.
/// Errors: refused (not connected: happened no) · timeout, closed (after the command was sent:
/// happened unknown) · exhausted (no connection free within the limit: no) · protocol (garbage came
/// back: unknown) · invalid. A broken connection is replaced at the next call; no call is ever
/// repeated by the client itself.
class Redis {
 public:
  using Command = std::vector<std::string>;

  virtual ~Redis() = default;

  virtual Result<RedisReply> command(std::span<const std::string_view> words,
                                     RedisCall call = {}) = 0;

  /// Sends all commands in one write and then reads all answers: one round trip. The outer Result
  /// fails when the connection does; a server's error on one command is that command's own Error.
  virtual Result<std::vector<Result<RedisReply>>> pipeline(std::span<const Command> commands,
                                                           RedisCall call = {}) = 0;

  // Conveniences over command().
  Result<RedisReply> command(std::initializer_list<std::string_view> words, RedisCall call = {});
  Result<std::optional<std::string>> get(std::string_view key, RedisCall call = {});
  /// False when only_if_absent found a value.
  Result<bool> set(std::string_view key, std::string_view value, RedisSet options = {},
                   RedisCall call = {});
  /// How many of the keys existed.
  Result<std::int64_t> del(std::initializer_list<std::string_view> keys, RedisCall call = {});
  /// Runs a Lua script atomically on the server: EVALSHA, and EVAL when the server does not know it
  /// yet.
  Result<RedisReply> eval(const class RedisScript& script, std::span<const std::string_view> keys,
                          std::span<const std::string_view> arguments, RedisCall call = {});
  Result<RedisReply> eval(const class RedisScript& script,
                          std::initializer_list<std::string_view> keys,
                          std::initializer_list<std::string_view> arguments, RedisCall call = {});
};

/// A Lua script with its SHA-1, computed once. Immutable, so any thread may use it.
class RedisScript {
 public:
  explicit RedisScript(std::string source);
  const std::string& source() const { return source_; }
  const std::string& sha1() const { return sha1_; }

 private:
  std::string source_;
  std::string sha1_;
};

}  // namespace lab::infra
