#pragma once
// Redis's scripts: Lua 5.1 with redis.call, redis.pcall, KEYS and ARGV, and Redis's own conversions
// between replies and Lua values (redis.io/docs/interact/programmability/lua-api).

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "infra/redis.h"

struct lua_State;

namespace lab::infra {

/// Not thread-safe. Scripts get Lua's base, table, string and math libraries and no way to files or
/// processes; a script that never ends never returns. What a server has beyond that (cjson,
/// cmsgpack, bit, struct) is not here.
class EmbeddedLua {
 public:
  using Words = std::span<const std::string_view>;
  using Execute = std::function<Result<RedisReply>(Words words)>;

  /// `execute` runs the commands of redis.call.
  explicit EmbeddedLua(Execute execute);
  ~EmbeddedLua();
  EmbeddedLua(const EmbeddedLua&) = delete;
  EmbeddedLua& operator=(const EmbeddedLua&) = delete;

  /// Compiles once per SHA-1.
  Result<void> compile(const std::string& sha1, const std::string& source);
  Result<RedisReply> run(const std::string& sha1, const std::string& source, Words keys,
                         Words arguments);

 private:
  static int redis_call(lua_State* lua);
  static int redis_pcall(lua_State* lua);
  static EmbeddedLua& self(lua_State* lua);
  /// False: what was pushed is an error table. `lua` may be a coroutine of the script's.
  bool push_reply_of_command(lua_State* lua);
  Result<RedisReply> take_result();
  Error take_error();

  Execute execute_;
  struct Close {
    void operator()(lua_State* lua) const;
  };
  std::unique_ptr<lua_State, Close> lua_;
};

}  // namespace lab::infra
