#include "infra/redis_client.h"

#include <fmt/format.h>

#include "infra/redis_batch.h"
#include "infra/redis_pool.h"

namespace lab::infra {
namespace {

std::string first_words(std::span<const std::string_view> words) {
  if (words.empty()) return "an empty command";
  return words.size() == 1 ? std::string(words[0])
                           : fmt::format("{} {}", words[0], words[1].substr(0, 60));
}

Error about(const Error& error, std::string_view what) {
  Error told = error;
  // A server's own words ("WRONGTYPE …") stay as they are.
  if (told.code != ErrorCode::invalid) told.message = fmt::format("{}: {}", what, told.message);
  return told;
}

/// A connection of its own for each call under way.
class PooledRedis : public Redis {
 public:
  PooledRedis(RedisAddress address, const RedisOptions& options)
      : pool_(std::move(address), options) {}

  Result<RedisReply> command(std::span<const std::string_view> words, RedisCall call) override {
    const Deadline deadline(call.timeout);
    std::string request;
    append_command(request, words);
    std::vector<Result<RedisReply>> replies;
    if (auto done = pool_.exchange(request, 1, deadline, replies); !done) {
      return about(done.error(), first_words(words));
    }
    return std::move(replies.front());
  }

  Result<std::vector<Result<RedisReply>>> pipeline(std::span<const Command> commands,
                                                   RedisCall call) override {
    std::vector<Result<RedisReply>> replies;
    if (commands.empty()) return replies;
    const Deadline deadline(call.timeout);
    std::string requests;
    for (const Command& command : commands) {
      const std::vector<std::string_view> words(command.begin(), command.end());
      append_command(requests, words);
    }
    replies.reserve(commands.size());
    if (auto done = pool_.exchange(requests, commands.size(), deadline, replies); !done) {
      return about(done.error(), fmt::format("a pipeline of {} commands", commands.size()));
    }
    return replies;
  }

 private:
  RedisPool pool_;
};

/// Single commands of all threads travel together; a pipeline has a connection of its own.
class BatchingRedis : public PooledRedis {
 public:
  BatchingRedis(const RedisAddress& address, const RedisOptions& options)
      : PooledRedis(address, options), batches_(address, options) {}

  Result<RedisReply> command(std::span<const std::string_view> words, RedisCall call) override {
    const Deadline deadline(call.timeout);
    std::string request;
    append_command(request, words);
    auto reply = batches_.call(request, deadline);
    if (!reply) return about(reply.error(), first_words(words));
    return reply;
  }

 private:
  RedisBatches batches_;
};

}  // namespace

std::unique_ptr<Redis> connect_redis(RedisAddress address, RedisOptions options) {
  if (options.batch_calls) return std::make_unique<BatchingRedis>(address, options);
  return std::make_unique<PooledRedis>(std::move(address), options);
}

}  // namespace lab::infra
