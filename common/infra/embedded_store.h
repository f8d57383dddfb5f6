#pragma once
// What the embedded Redis keeps, and its commands. No threads, no time to travel:
// embedded_redis.cpp adds those.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/clock.h"
#include "infra/redis.h"

namespace lab::infra {

class EmbeddedLua;

/// Not thread-safe.
class EmbeddedStore {
 public:
  EmbeddedStore();
  ~EmbeddedStore();
  EmbeddedStore(const EmbeddedStore&) = delete;
  EmbeddedStore& operator=(const EmbeddedStore&) = delete;

  /// Answers as a Redis server does; a server's error answer is an Error of code `invalid`.
  Result<RedisReply> execute(std::span<const std::string_view> words);

  struct Entry {
    std::string value;
    std::optional<Instant> expires;
  };
  using Entries = std::unordered_map<std::string, Entry>;
  const Entries& entries() const { return entries_; }
  void load(Entries entries) { entries_ = std::move(entries); }

 private:
  struct Command;
  using Words = std::span<const std::string_view>;
  static std::span<const Command> commands();

  Entry* find(std::string_view key);  // nullptr also when it has expired
  void drop_expired();

  Result<RedisReply> ping(Words words);
  Result<RedisReply> echo(Words words);
  Result<RedisReply> get(Words words);
  Result<RedisReply> set(Words words);
  Result<RedisReply> del(Words words);
  Result<RedisReply> exists(Words words);
  Result<RedisReply> pexpire(Words words);
  Result<RedisReply> pttl(Words words);
  Result<RedisReply> incr(Words words);
  Result<RedisReply> incrby(Words words);
  Result<RedisReply> dbsize(Words words);
  Result<RedisReply> flushall(Words words);
  Result<RedisReply> keys(Words words);
  Result<RedisReply> eval(Words words);
  Result<RedisReply> evalsha(Words words);
  Result<RedisReply> script(Words words);
  Result<RedisReply> add(std::string_view key, std::int64_t increment);
  Result<RedisReply> run_script(const std::string& sha1, Words words);

  Entries entries_;
  std::unordered_map<std::string, std::string> scripts_;  // by SHA-1
  std::unique_ptr<EmbeddedLua> lua_;
  bool in_script_ = false;
};

/// Redis's reply shapes, shortly.
RedisReply status_reply(std::string_view text);
RedisReply text_reply(std::string_view text);
RedisReply integer_reply(std::int64_t value);

}  // namespace lab::infra
