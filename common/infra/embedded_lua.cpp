#include "infra/embedded_lua.h"

#include <fmt/format.h>

#include <lua.hpp>
#include <vector>

#include "infra/embedded_store.h"
#include "infra/redis_replies.h"

// Lua leaves a C function by longjmp when an error is raised: where lua_error() is called, no C++
// object with a destructor may be alive.

namespace lab::infra {
namespace {

constexpr int deepest_table = 64;

void push_text(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

/// {ok = text} or {err = text}: how a status and an error look in Lua.
void push_single_field(lua_State* lua, const char* field, std::string_view text) {
  lua_createtable(lua, 0, 1);
  push_text(lua, text);
  lua_setfield(lua, -2, field);
}

void push_reply(lua_State* lua, const RedisReply& reply) {
  switch (reply.type) {
    case RedisReply::Type::nil: lua_pushboolean(lua, 0); return;
    case RedisReply::Type::status: push_single_field(lua, "ok", reply.text); return;
    case RedisReply::Type::integer:
      lua_pushnumber(lua, static_cast<lua_Number>(reply.integer));
      return;
    case RedisReply::Type::text: push_text(lua, reply.text); return;
    case RedisReply::Type::array: break;
  }
  lua_createtable(lua, static_cast<int>(reply.items.size()), 0);
  for (std::size_t i = 0; i < reply.items.size(); ++i) {
    push_reply(lua, reply.items[i]);
    lua_rawseti(lua, -2, static_cast<int>(i + 1));
  }
}

std::string_view text_at(lua_State* lua, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return text ? std::string_view(text, size) : std::string_view();
}

/// The string field of the table on top, if it has one. Nothing is left on the stack.
std::optional<std::string> string_field(lua_State* lua, const char* field) {
  push_text(lua, field);
  lua_rawget(lua, -2);
  std::optional<std::string> value;
  if (lua_type(lua, -1) == LUA_TSTRING) value = text_at(lua, -1);
  lua_pop(lua, 1);
  return value;
}

/// The value on top as a reply. The value stays there.
Result<RedisReply> to_reply(lua_State* lua, int depth) {
  if (depth > deepest_table || !lua_checkstack(lua, 4))
    return server_error("ERR reached lua stack limit");
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING: return text_reply(text_at(lua, -1));
    case LUA_TNUMBER: return integer_reply(static_cast<std::int64_t>(lua_tonumber(lua, -1)));
    case LUA_TBOOLEAN: return lua_toboolean(lua, -1) ? integer_reply(1) : RedisReply{};
    case LUA_TTABLE: break;
    default: return RedisReply{};
  }
  if (const auto error = string_field(lua, "err")) return server_error(*error);
  if (const auto status = string_field(lua, "ok")) return status_reply(*status);
  RedisReply array{.type = RedisReply::Type::array};
  for (int i = 1;; ++i) {
    lua_rawgeti(lua, -1, i);
    if (lua_isnil(lua, -1)) break;
    auto item = to_reply(lua, depth + 1);
    lua_pop(lua, 1);
    if (!item) return item.error();
    array.items.push_back(std::move(*item));
  }
  lua_pop(lua, 1);
  return array;
}

void set_global_list(lua_State* lua, const char* name, EmbeddedLua::Words words) {
  lua_createtable(lua, static_cast<int>(words.size()), 0);
  for (std::size_t i = 0; i < words.size(); ++i) {
    push_text(lua, words[i]);
    lua_rawseti(lua, -2, static_cast<int>(i + 1));
  }
  push_text(lua, name);
  lua_insert(lua, -2);
  lua_rawset(lua, LUA_GLOBALSINDEX);  // raw: past the protection below
}

/// redis.status_reply and redis.error_reply: a table with the one field that is this closure's
/// upvalue.
int single_field_reply(lua_State* lua) {
  luaL_checkstring(lua, 1);
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_rawset(lua, -3);
  return 1;
}

int forbid_global(lua_State* lua) {
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                    lua_tostring(lua, 2));
}

void protect_globals(lua_State* lua) {
  for (const char* name : {"dofile", "loadfile", "print"}) {
    lua_pushnil(lua);
    lua_setglobal(lua, name);
  }
  lua_createtable(lua, 0, 2);
  lua_pushcfunction(lua, forbid_global);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, forbid_global);
  lua_setfield(lua, -2, "__newindex");
  lua_setmetatable(lua, LUA_GLOBALSINDEX);
}

void open_library(lua_State* lua, lua_CFunction open, const char* name) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

}  // namespace

void EmbeddedLua::Close::operator()(lua_State* lua) const {
  lua_close(lua);
}

EmbeddedLua::EmbeddedLua(Execute execute) : execute_(std::move(execute)), lua_(luaL_newstate()) {
  lua_State* lua = lua_.get();
  if (!lua) throw Failure("no memory for Lua");
  open_library(lua, luaopen_base, "");
  open_library(lua, luaopen_table, LUA_TABLIBNAME);
  open_library(lua, luaopen_string, LUA_STRLIBNAME);
  open_library(lua, luaopen_math, LUA_MATHLIBNAME);

  lua_newtable(lua);
  const auto add = [&](const char* name, lua_CFunction function) {
    lua_pushlightuserdata(lua, this);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
  };
  add("call", redis_call);
  add("pcall", redis_pcall);
  for (const auto& [name, field] : {std::pair{"status_reply", "ok"}, {"error_reply", "err"}}) {
    lua_pushstring(lua, field);
    lua_pushcclosure(lua, single_field_reply, 1);
    lua_setfield(lua, -2, name);
  }
  lua_setglobal(lua, "redis");
  protect_globals(lua);
}

EmbeddedLua::~EmbeddedLua() = default;

EmbeddedLua& EmbeddedLua::self(lua_State* lua) {
  return *static_cast<EmbeddedLua*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

int EmbeddedLua::redis_call(lua_State* lua) {
  if (!self(lua).push_reply_of_command(lua)) return lua_error(lua);
  return 1;
}

int EmbeddedLua::redis_pcall(lua_State* lua) {
  self(lua).push_reply_of_command(lua);
  return 1;
}

bool EmbeddedLua::push_reply_of_command(lua_State* lua) {
  std::vector<std::string> words;
  for (int i = 1; i <= lua_gettop(lua); ++i) {
    const int type = lua_type(lua, i);
    if (type == LUA_TNUMBER) {
      words.push_back(fmt::format("{:.17g}", lua_tonumber(lua, i)));
    } else if (type == LUA_TSTRING) {
      words.emplace_back(text_at(lua, i));
    } else {
      push_single_field(lua, "err",
                        "ERR Lua redis lib command arguments must be strings or integers");
      return false;
    }
  }
  if (words.empty()) {
    push_single_field(lua, "err",
                      "ERR Please specify at least one argument for this redis.call() call");
    return false;
  }
  const std::vector<std::string_view> views(words.begin(), words.end());
  const auto reply = execute_(views);
  if (reply) {
    push_reply(lua, *reply);
    return true;
  }
  push_single_field(lua, "err", reply.error().message);
  return false;
}

Result<void> EmbeddedLua::compile(const std::string& sha1, const std::string& source) {
  lua_State* lua = lua_.get();
  lua_getfield(lua, LUA_REGISTRYINDEX, sha1.c_str());
  const bool known = lua_isfunction(lua, -1);
  lua_pop(lua, 1);
  if (known) return {};
  if (luaL_loadbuffer(lua, source.data(), source.size(), "@user_script") != 0) {
    const Error error = server_error(
        fmt::format("ERR Error compiling script (new function): {}", text_at(lua, -1)));
    lua_pop(lua, 1);
    return error;
  }
  lua_setfield(lua, LUA_REGISTRYINDEX, sha1.c_str());
  return {};
}

Result<RedisReply> EmbeddedLua::run(const std::string& sha1, const std::string& source, Words keys,
                                    Words arguments) {
  if (auto compiled = compile(sha1, source); !compiled) return compiled.error();
  lua_State* lua = lua_.get();
  set_global_list(lua, "KEYS", keys);
  set_global_list(lua, "ARGV", arguments);
  lua_getfield(lua, LUA_REGISTRYINDEX, sha1.c_str());
  Result<RedisReply> reply =
      lua_pcall(lua, 0, 1, 0) == 0 ? take_result() : Result<RedisReply>(take_error());
  lua_settop(lua, 0);
  return reply;
}

Result<RedisReply> EmbeddedLua::take_result() {
  return to_reply(lua_.get(), 0);
}

/// redis.call raises a table with the server's words; error("x") and Lua itself raise a text.
Error EmbeddedLua::take_error() {
  lua_State* lua = lua_.get();
  if (lua_istable(lua, -1)) {
    if (const auto text = string_field(lua, "err")) return server_error(*text);
  }
  return server_error(fmt::format("ERR {}", text_at(lua, -1)));
}

}  // namespace lab::infra
