#include "infra/embedded_store.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "infra/embedded_lua.h"
#include "infra/redis_replies.h"

namespace lab::infra {
namespace {

constexpr std::string_view not_an_integer = "ERR value is not an integer or out of range";
constexpr std::string_view syntax_error = "ERR syntax error";

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || stop != text.data() + text.size() || text.empty()) return {};
  return value;
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return result;
}

// Far enough for any test, near enough that the clock does not overflow.
constexpr std::int64_t longest_ttl_ms = 1000LL * 60 * 60 * 24 * 365 * 100;

struct SetOptions {
  std::optional<std::chrono::milliseconds> ttl;
  bool only_if_absent = false;
  bool only_if_present = false;
};

Result<SetOptions> parse_set_options(std::span<const std::string_view> words) {
  SetOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string option = upper(words[i]);
    if (option == "NX" && !options.only_if_present) {
      options.only_if_absent = true;
    } else if (option == "XX" && !options.only_if_absent) {
      options.only_if_present = true;
    } else if ((option == "PX" || option == "EX") && !options.ttl && i + 1 < words.size()) {
      const auto count = parse_integer(words[++i]);
      if (!count) return server_error(not_an_integer);
      const std::int64_t unit = option == "EX" ? 1000 : 1;
      if (*count <= 0 || *count > longest_ttl_ms / unit) {
        return server_error("ERR invalid expire time in 'set' command");
      }
      options.ttl = std::chrono::milliseconds(*count * unit);
    } else {
      return server_error(syntax_error);
    }
  }
  return options;
}

}  // namespace

RedisReply status_reply(std::string_view text) {
  return {.type = RedisReply::Type::status, .text = std::string(text)};
}
RedisReply text_reply(std::string_view text) {
  return {.type = RedisReply::Type::text, .text = std::string(text)};
}
RedisReply integer_reply(std::int64_t value) {
  return {.type = RedisReply::Type::integer, .integer = value};
}

struct EmbeddedStore::Command {
  std::string_view name;
  int arity;  // with its name; negative: at least
  Result<RedisReply> (EmbeddedStore::*run)(Words words);
  bool in_scripts = true;
};

std::span<const EmbeddedStore::Command> EmbeddedStore::commands() {
  static constexpr Command all[] = {
      {"PING", -1, &EmbeddedStore::ping},
      {"ECHO", 2, &EmbeddedStore::echo},
      {"GET", 2, &EmbeddedStore::get},
      {"SET", -3, &EmbeddedStore::set},
      {"DEL", -2, &EmbeddedStore::del},
      {"EXISTS", -2, &EmbeddedStore::exists},
      {"PEXPIRE", 3, &EmbeddedStore::pexpire},
      {"PTTL", 2, &EmbeddedStore::pttl},
      {"INCR", 2, &EmbeddedStore::incr},
      {"INCRBY", 3, &EmbeddedStore::incrby},
      {"DBSIZE", 1, &EmbeddedStore::dbsize},
      {"FLUSHALL", 1, &EmbeddedStore::flushall},
      {"FLUSHDB", 1, &EmbeddedStore::flushall},  // it has one database
      {"KEYS", 2, &EmbeddedStore::keys},
      {"EVAL", -3, &EmbeddedStore::eval, false},
      {"EVALSHA", -3, &EmbeddedStore::evalsha, false},
      {"SCRIPT", -2, &EmbeddedStore::script, false},
  };
  return all;
}

EmbeddedStore::EmbeddedStore()
    : lua_(std::make_unique<EmbeddedLua>([this](Words words) { return execute(words); })) {}

EmbeddedStore::~EmbeddedStore() = default;

Result<RedisReply> EmbeddedStore::execute(Words words) {
  if (words.empty()) return server_error("ERR unknown command ''");
  const std::string name = upper(words[0]);
  const auto known = commands();
  const auto command =
      std::find_if(known.begin(), known.end(), [&](const Command& c) { return c.name == name; });
  if (command == known.end()) {
    return server_error(fmt::format("ERR unknown command '{}'", words[0]));
  }
  const auto given = static_cast<int>(words.size());
  if (command->arity >= 0 ? given != command->arity : given < -command->arity) {
    return server_error(fmt::format("ERR wrong number of arguments for '{}' command", words[0]));
  }
  if (in_script_ && !command->in_scripts) {
    return server_error("ERR This Redis command is not allowed from script");
  }
  return (this->*command->run)(words);
}

EmbeddedStore::Entry* EmbeddedStore::find(std::string_view key) {
  const auto found = entries_.find(std::string(key));
  if (found == entries_.end()) return nullptr;
  if (found->second.expires && *found->second.expires <= now()) {
    entries_.erase(found);
    return nullptr;
  }
  return &found->second;
}

void EmbeddedStore::drop_expired() {
  const Instant time = now();
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.expires && *entry.second.expires <= time;
  });
}

Result<RedisReply> EmbeddedStore::ping(Words words) {
  return words.size() > 1 ? text_reply(words[1]) : status_reply("PONG");
}

Result<RedisReply> EmbeddedStore::echo(Words words) {
  return text_reply(words[1]);
}

Result<RedisReply> EmbeddedStore::get(Words words) {
  const Entry* entry = find(words[1]);
  return entry ? text_reply(entry->value) : RedisReply{};
}

Result<RedisReply> EmbeddedStore::set(Words words) {
  const auto options = parse_set_options(words.subspan(3));
  if (!options) return options.error();
  const bool present = find(words[1]) != nullptr;
  if ((options->only_if_absent && present) || (options->only_if_present && !present)) {
    return RedisReply{};
  }
  std::optional<Instant> expires;
  if (options->ttl) expires = now() + *options->ttl;
  entries_[std::string(words[1])] = {std::string(words[2]), expires};
  return status_reply("OK");
}

Result<RedisReply> EmbeddedStore::del(Words words) {
  std::int64_t removed = 0;
  for (const std::string_view key : words.subspan(1)) {
    if (find(key)) removed += static_cast<std::int64_t>(entries_.erase(std::string(key)));
  }
  return integer_reply(removed);
}

Result<RedisReply> EmbeddedStore::exists(Words words) {
  const auto keys = words.subspan(1);
  return integer_reply(
      std::count_if(keys.begin(), keys.end(), [&](std::string_view key) { return find(key); }));
}

Result<RedisReply> EmbeddedStore::pexpire(Words words) {
  const auto ttl = parse_integer(words[2]);
  if (!ttl) return server_error(not_an_integer);
  if (*ttl > longest_ttl_ms) return server_error("ERR invalid expire time in 'pexpire' command");
  Entry* entry = find(words[1]);
  if (!entry) return integer_reply(0);
  if (*ttl <= 0) {
    entries_.erase(std::string(words[1]));
  } else {
    entry->expires = now() + std::chrono::milliseconds(*ttl);
  }
  return integer_reply(1);
}

Result<RedisReply> EmbeddedStore::pttl(Words words) {
  const Entry* entry = find(words[1]);
  if (!entry) return integer_reply(-2);
  if (!entry->expires) return integer_reply(-1);
  return integer_reply(
      std::chrono::ceil<std::chrono::milliseconds>(*entry->expires - now()).count());
}

Result<RedisReply> EmbeddedStore::incr(Words words) {
  return add(words[1], 1);
}

Result<RedisReply> EmbeddedStore::incrby(Words words) {
  const auto increment = parse_integer(words[2]);
  if (!increment) return server_error(not_an_integer);
  return add(words[1], *increment);
}

Result<RedisReply> EmbeddedStore::add(std::string_view key, std::int64_t increment) {
  Entry* entry = find(key);
  const auto old = entry ? parse_integer(entry->value) : std::optional<std::int64_t>(0);
  if (!old) return server_error(not_an_integer);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*old, increment, &sum)) {
    return server_error("ERR increment or decrement would overflow");
  }
  if (entry) {
    entry->value = std::to_string(sum);
  } else {
    entries_[std::string(key)].value = std::to_string(sum);
  }
  return integer_reply(sum);
}

Result<RedisReply> EmbeddedStore::dbsize(Words) {
  drop_expired();
  return integer_reply(static_cast<std::int64_t>(entries_.size()));
}

Result<RedisReply> EmbeddedStore::flushall(Words) {
  entries_.clear();
  return status_reply("OK");
}

Result<RedisReply> EmbeddedStore::keys(Words words) {
  drop_expired();
  const std::string pattern(words[1]);
  RedisReply reply{.type = RedisReply::Type::array};
  for (const auto& [key, entry] : entries_) {
    if (fnmatch(pattern.c_str(), key.c_str(), 0) == 0) reply.items.push_back(text_reply(key));
  }
  return reply;
}

Result<RedisReply> EmbeddedStore::eval(Words words) {
  const RedisScript parsed{std::string(words[1])};
  scripts_.emplace(parsed.sha1(), parsed.source());
  return run_script(parsed.sha1(), words);
}

Result<RedisReply> EmbeddedStore::evalsha(Words words) {
  std::string sha1(words[1]);
  std::transform(sha1.begin(), sha1.end(), sha1.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (!scripts_.contains(sha1)) {
    return server_error("NOSCRIPT No matching script. Please use EVAL.");
  }
  return run_script(sha1, words);
}

Result<RedisReply> EmbeddedStore::run_script(const std::string& sha1, Words words) {
  const auto count = parse_integer(words[2]);
  if (!count) return server_error(not_an_integer);
  if (*count < 0) return server_error("ERR Number of keys can't be negative");
  const auto rest = words.subspan(3);
  if (static_cast<std::uint64_t>(*count) > rest.size()) {
    return server_error("ERR Number of keys can't be greater than number of args");
  }
  in_script_ = true;
  auto reply = lua_->run(sha1, scripts_.at(sha1), rest.first(static_cast<std::size_t>(*count)),
                         rest.subspan(static_cast<std::size_t>(*count)));
  in_script_ = false;
  return reply;
}

Result<RedisReply> EmbeddedStore::script(Words words) {
  if (upper(words[1]) != "LOAD" || words.size() != 3) {
    return server_error(fmt::format("ERR unknown subcommand '{}'", words[1]));
  }
  const RedisScript loaded{std::string(words[2])};
  if (auto compiled = lua_->compile(loaded.sha1(), loaded.source()); !compiled)
    return compiled.error();
  scripts_.emplace(loaded.sha1(), loaded.source());
  return text_reply(loaded.sha1());
}

}  // namespace lab::infra
