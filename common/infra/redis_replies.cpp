#include "infra/redis_replies.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

namespace lab::infra {
namespace {

// Of an array answer; a longer one is garbage, not data.
constexpr std::size_t most_elements = 16 * 1024 * 1024;

// hiredis allocates an array as soon as its length is announced: a made-up length must not take the
// memory. The type of the length differs between its versions, so it is deduced.
template <class Count>
void* create_array(const redisReadTask* task, Count count) {
  static const auto original = [] {
    struct Freed {
      redisReader* reader = redisReaderCreate();
      ~Freed() { redisReaderFree(reader); }
    } fresh;
    return fresh.reader->fn->createArray;
  }();
  return static_cast<std::size_t>(count) > most_elements ? nullptr : original(task, count);
}

redisReplyObjectFunctions* reply_functions(const redisReader& reader) {
  static redisReplyObjectFunctions functions = [&] {
    redisReplyObjectFunctions bounded = *reader.fn;
    bounded.createArray = &create_array;
    return bounded;
  }();
  return &functions;
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

Result<RedisReply> convert(const redisReply& reply);

Result<RedisReply> convert_array(const redisReply& reply) {
  RedisReply array{.type = RedisReply::Type::array};
  array.items.reserve(reply.elements);
  for (std::size_t i = 0; i < reply.elements; ++i) {
    auto item = convert(*reply.element[i]);
    if (!item) return item.error();
    array.items.push_back(std::move(*item));
  }
  return array;
}

Result<RedisReply> convert(const redisReply& reply) {
  using Type = RedisReply::Type;
  switch (reply.type) {
    case REDIS_REPLY_NIL: return RedisReply{};
    case REDIS_REPLY_INTEGER: return RedisReply{.type = Type::integer, .integer = reply.integer};
    case REDIS_REPLY_STATUS:
      return RedisReply{.type = Type::status, .text = std::string(reply.str, reply.len)};
    case REDIS_REPLY_STRING:
      return RedisReply{.type = Type::text, .text = std::string(reply.str, reply.len)};
    case REDIS_REPLY_ARRAY: return convert_array(reply);
    case REDIS_REPLY_ERROR: return server_error({reply.str, reply.len});
    default:
      return Error{ErrorCode::protocol, Happened::unknown,
                   fmt::format("an answer of unknown type {}", reply.type)};
  }
}

Error nonsense(std::string_view why) {
  return {ErrorCode::protocol, Happened::unknown, fmt::format("answered nonsense: {}", why)};
}

}  // namespace

Error server_error(std::string_view text) {
  const auto first_word = text.substr(0, text.find(' '));
  return {ErrorCode::invalid, Happened::no, std::string(text), std::string(first_word)};
}

struct RedisReplies::Reader {
  redisReader* const hiredis = redisReaderCreate();
  Reader() {
    if (!hiredis) throw Failure("no memory for a Redis connection");
    hiredis->fn = reply_functions(*hiredis);
  }
  ~Reader() { redisReaderFree(hiredis); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

RedisReplies::RedisReplies() : reader_(std::make_unique<Reader>()) {}
RedisReplies::~RedisReplies() = default;
RedisReplies::RedisReplies(RedisReplies&&) noexcept = default;

Result<void> RedisReplies::feed(std::string_view bytes) {
  redisReader* reader = reader_->hiredis;
  if (redisReaderFeed(reader, bytes.data(), bytes.size()) == REDIS_OK) return {};
  return nonsense(reader->errstr);
}

Result<std::size_t> RedisReplies::take(std::size_t most, std::vector<Result<RedisReply>>& replies) {
  redisReader* reader = reader_->hiredis;
  std::size_t taken = 0;
  for (; taken < most; ++taken) {
    void* raw = nullptr;
    if (redisReaderGetReply(reader, &raw) != REDIS_OK) return nonsense(reader->errstr);
    if (!raw) break;
    const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(raw));
    auto converted = convert(*reply);
    if (!converted && converted.error().code == ErrorCode::protocol) return converted.error();
    replies.push_back(std::move(converted));
  }
  return taken;
}

bool RedisReplies::leftover() const {
  return reader_->hiredis->len > reader_->hiredis->pos;
}

}  // namespace lab::infra
