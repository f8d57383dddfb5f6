#include "infra/redis.h"

#include <Poco/DigestEngine.h>
#include <Poco/SHA1Engine.h>
#include <fmt/format.h>

namespace lab::infra {
namespace {

Error odd_reply(std::string_view command) {
  return {ErrorCode::protocol, Happened::unknown,
          fmt::format("{} was answered with a reply of another type", command)};
}

}  // namespace

Result<RedisReply> Redis::command(std::initializer_list<std::string_view> words, RedisCall call) {
  return command(std::span(words.begin(), words.size()), call);
}

Result<std::optional<std::string>> Redis::get(std::string_view key, RedisCall call) {
  auto reply = command({"GET", key}, call);
  if (!reply) return reply.error();
  if (reply->is_nil()) return std::optional<std::string>();
  if (reply->type != RedisReply::Type::text) return odd_reply("GET");
  return std::optional(std::move(reply->text));
}

Result<bool> Redis::set(std::string_view key, std::string_view value, RedisSet options,
                        RedisCall call) {
  std::vector<std::string_view> words{"SET", key, value};
  std::string ttl;
  if (options.ttl) {
    ttl = std::to_string(options.ttl->count());
    words.insert(words.end(), {"PX", ttl});
  }
  if (options.only_if_absent) words.push_back("NX");
  auto reply = command(words, call);
  if (!reply) return reply.error();
  if (reply->is_nil()) return false;
  if (reply->type != RedisReply::Type::status) return odd_reply("SET");
  return true;
}

Result<std::int64_t> Redis::del(std::initializer_list<std::string_view> keys, RedisCall call) {
  std::vector<std::string_view> words{"DEL"};
  words.insert(words.end(), keys);
  auto reply = command(words, call);
  if (!reply) return reply.error();
  if (reply->type != RedisReply::Type::integer) return odd_reply("DEL");
  return reply->integer;
}

Result<RedisReply> Redis::eval(const RedisScript& script,
                               std::initializer_list<std::string_view> keys,
                               std::initializer_list<std::string_view> arguments, RedisCall call) {
  return eval(script, std::span(keys.begin(), keys.size()),
              std::span(arguments.begin(), arguments.size()), call);
}

Result<RedisReply> Redis::eval(const RedisScript& script, std::span<const std::string_view> keys,
                               std::span<const std::string_view> arguments, RedisCall call) {
  const std::string count = std::to_string(keys.size());
  std::vector<std::string_view> words{"EVALSHA", script.sha1(), count};
  words.reserve(words.size() + keys.size() + arguments.size());
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  auto reply = command(words, call);
  if (reply || reply.error().native_code != "NOSCRIPT") return reply;
  // Not run: the server does not know the script. EVAL teaches it.
  words[0] = "EVAL";
  words[1] = script.source();
  return command(words, call);
}

RedisScript::RedisScript(std::string source) : source_(std::move(source)) {
  Poco::SHA1Engine sha1;
  sha1.update(source_);
  sha1_ = Poco::DigestEngine::digestToHex(sha1.digest());
}

}  // namespace lab::infra
