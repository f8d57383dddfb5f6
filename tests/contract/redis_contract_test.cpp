// What every Redis must do: the embedded twin and the real server, the client with a connection per
// call and the one that batches.
#include <fmt/format.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "infra/embedded_redis.h"
#include "infra/redis_client.h"
#include "support.h"

namespace lab::infra {
namespace {

using test::eventually;
using test::must;
using Type = RedisReply::Type;

/// One Redis under test and what can be done to it.
class Redises {
 public:
  virtual ~Redises() = default;
  virtual std::unique_ptr<Redis> client() = 0;
  virtual void kill() = 0;
  virtual void start() = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class Embedded : public Redises {
 public:
  std::unique_ptr<Redis> client() override { return redis_.client(); }
  void kill() override { redis_.kill(); }
  void start() override { redis_.start(); }
  void pause() override { redis_.pause(); }
  void resume() override { redis_.resume(); }

 private:
  EmbeddedRedis redis_{EmbeddedRedis::Options{.round_trip = 20us}};
};

class Real : public Redises {
 public:
  explicit Real(bool batch) : server_(must(test::supervisor().redis())), batch_(batch) {}
  std::unique_ptr<Redis> client() override {
    RedisAddress address;
    address.unix_socket = server_->socket().string();
    return connect_redis(address,
                         {.connections = 16, .connect_timeout = 1000ms, .batch_calls = batch_});
  }
  void kill() override { must(server_->kill()); }
  void start() override { must(server_->start()); }
  void pause() override { must(server_->pause()); }
  void resume() override { must(server_->resume()); }

 private:
  std::unique_ptr<servers::RedisServer> server_;
  const bool batch_;
};

class RedisContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string kind = GetParam();
    if (kind == "embedded") {
      redises_ = std::make_unique<Embedded>();
    } else {
      LAB_NEEDS(servers::find_redis());
      redises_ = std::make_unique<Real>(kind == "batched");
    }
    redis_ = redises_->client();
  }
  RedisReply ask(std::initializer_list<std::string_view> words) {
    return must(redis_->command(words));
  }
  Error fail(std::initializer_list<std::string_view> words, RedisCall call = {}) {
    auto reply = redis_->command(words, call);
    if (reply) throw std::runtime_error("there should have been an error");
    return reply.error();
  }
  RedisReply eval(const std::string& script, std::initializer_list<std::string_view> keys = {},
                  std::initializer_list<std::string_view> arguments = {}) {
    return must(redis_->eval(RedisScript(script), keys, arguments));
  }

  std::unique_ptr<Redises> redises_;
  std::unique_ptr<Redis> redis_;
};

INSTANTIATE_TEST_SUITE_P(All, RedisContract, ::testing::Values("embedded", "pooled", "batched"),
                         [](const auto& chosen) { return chosen.param; });

TEST_P(RedisContract, KeepsValuesOfAnyBytes) {
  EXPECT_EQ(must(redis_->get("missing")), std::nullopt);
  for (const std::string& value :
       {std::string(), std::string("plain"), std::string("\0\r\n$-1\r\n\xff", 10),
        std::string(300'000, 'x')}) {
    EXPECT_TRUE(must(redis_->set("key", value)));
    EXPECT_EQ(must(redis_->get("key")), value);
  }
}

TEST_P(RedisContract, SetsOnlyIfAbsent) {
  EXPECT_TRUE(must(redis_->set("key", "first", {.only_if_absent = true})));
  EXPECT_FALSE(must(redis_->set("key", "second", {.only_if_absent = true})));
  EXPECT_EQ(must(redis_->get("key")), "first");
  EXPECT_TRUE(ask({"SET", "other", "x", "XX"}).is_nil());
}

TEST_P(RedisContract, ForgetsAValueWhenItsTimeIsUp) {
  EXPECT_TRUE(must(redis_->set("key", "value", {.ttl = 60ms})));
  EXPECT_TRUE(must(redis_->get("key")).has_value());
  const auto left = ask({"PTTL", "key"}).integer;
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 60);
  EXPECT_TRUE(eventually(5s, [&] { return !must(redis_->get("key")); }));
  EXPECT_EQ(ask({"PTTL", "key"}).integer, -2);
  EXPECT_TRUE(must(redis_->set("key", "value", {.ttl = 60s})));
  EXPECT_TRUE(must(redis_->set("key", "value")));
  EXPECT_EQ(ask({"PTTL", "key"}).integer, -1) << "a plain SET takes the time limit away";
  EXPECT_EQ(ask({"PEXPIRE", "key", "0"}).integer, 1);
  EXPECT_EQ(ask({"EXISTS", "key"}).integer, 0);
}

TEST_P(RedisContract, CountsAndDeletes) {
  EXPECT_EQ(ask({"INCR", "n"}).integer, 1);
  EXPECT_EQ(ask({"INCRBY", "n", "-5"}).integer, -4);
  EXPECT_EQ(must(redis_->get("n")), "-4");
  EXPECT_EQ(ask({"EXISTS", "n", "n", "m"}).integer, 2);
  EXPECT_EQ(ask({"DBSIZE"}).integer, 1);
  EXPECT_EQ(must(redis_->del({"n", "m"})), 1);
  EXPECT_EQ(ask({"DBSIZE"}).integer, 0);
}

TEST_P(RedisContract, FindsKeysByPattern) {
  for (const char* key : {"product:1", "product:2", "user:1"}) ask({"SET", key, "x"});
  std::set<std::string> found;
  for (const RedisReply& item : ask({"KEYS", "product:*"}).items) found.insert(item.text);
  EXPECT_EQ(found, (std::set<std::string>{"product:1", "product:2"}));
  EXPECT_EQ(ask({"FLUSHDB"}).text, "OK");
  EXPECT_TRUE(ask({"KEYS", "*"}).items.empty());
}

TEST_P(RedisContract, PingsAndEchoes) {
  EXPECT_EQ(ask({"PING"}).text, "PONG");
  EXPECT_EQ(ask({"ping", "x"}).text, "x");
  EXPECT_EQ(ask({"ECHO", "y"}).type, Type::text);
}

TEST_P(RedisContract, AServersErrorIsInvalidAndTheConnectionGoesOn) {
  ask({"SET", "text", "abc"});
  for (const auto& words : std::vector<std::vector<std::string_view>>{{"NOSUCHCOMMAND"},
                                                                      {"GET"},
                                                                      {"GET", "a", "b"},
                                                                      {"INCR", "text"},
                                                                      {"INCRBY", "n", "1.5"},
                                                                      {"SET", "k", "v", "PX", "0"},
                                                                      {"SET", "k", "v", "PX"},
                                                                      {"SET", "k", "v", "NX", "XX"},
                                                                      {"EVAL", "return 1", "1"},
                                                                      {"EVAL", "return (", "0"}}) {
    const auto reply = redis_->command(words);
    ASSERT_FALSE(reply) << words[0];
    EXPECT_EQ(reply.error().code, ErrorCode::invalid) << words[0];
    EXPECT_EQ(reply.error().happened, Happened::no);
    EXPECT_EQ(reply.error().native_code, "ERR") << reply.error().message;
    EXPECT_EQ(ask({"PING"}).text, "PONG");
  }
  ask({"SET", "n", "9223372036854775807"});
  EXPECT_EQ(fail({"INCR", "n"}).message, "ERR increment or decrement would overflow");
}

TEST_P(RedisContract, APipelineAnswersInOrderAndErrorsStayWithTheirCommand) {
  const std::vector<Redis::Command> commands{
      {"SET", "a", "1"}, {"NOSUCHCOMMAND"}, {"INCR", "a"}, {"GET", "a"}};
  const auto replies = must(redis_->pipeline(commands));
  ASSERT_EQ(replies.size(), 4u);
  EXPECT_EQ(replies[0]->text, "OK");
  EXPECT_EQ(replies[1].error().code, ErrorCode::invalid);
  EXPECT_EQ(replies[2]->integer, 2);
  EXPECT_EQ(replies[3]->text, "2");
  EXPECT_TRUE(must(redis_->pipeline({})).empty());
}

TEST_P(RedisContract, ALongPipelineArrivesWhole) {
  const std::vector<Redis::Command> commands(5000, {"INCR", "n"});
  const auto replies = must(redis_->pipeline(commands));
  for (std::size_t i = 0; i < commands.size(); ++i)
    EXPECT_EQ(replies[i]->integer, static_cast<std::int64_t>(i + 1));
}

TEST_P(RedisContract, AnEmptyCommandIsRefusedOrAnswered) {
  EXPECT_FALSE(redis_->command(std::span<const std::string_view>(), {.timeout = 1s}));
  EXPECT_EQ(ask({"PING"}).text, "PONG");
}

TEST_P(RedisContract, ScriptsSeeTheirKeysAndArguments) {
  const auto reply = eval("return {KEYS[1], KEYS[2], ARGV[1], #ARGV}", {"a", "b"}, {"x", "y"});
  ASSERT_EQ(reply.items.size(), 4u);
  EXPECT_EQ(reply.items[0].text, "a");
  EXPECT_EQ(reply.items[1].text, "b");
  EXPECT_EQ(reply.items[2].text, "x");
  EXPECT_EQ(reply.items[3].integer, 2);
}

TEST_P(RedisContract, LuaValuesBecomeReplies) {
  EXPECT_EQ(eval("return 3.99").integer, 3) << "a number is cut to an integer";
  EXPECT_EQ(eval("return -3.99").integer, -3);
  EXPECT_EQ(eval("return '3.99'").text, "3.99");
  EXPECT_EQ(eval("return true").integer, 1);
  EXPECT_TRUE(eval("return false").is_nil());
  EXPECT_TRUE(eval("return nil").is_nil());
  EXPECT_TRUE(eval("return").is_nil());
  EXPECT_EQ(eval("return {1, 2, nil, 4}").items.size(), 2u) << "an array ends at its first nil";
  EXPECT_EQ(eval("return {}").type, Type::array);
  EXPECT_EQ(eval("return {a = 1}").items.size(), 0u);
  const auto nested = eval("return {1, {'x', false}}");
  EXPECT_EQ(nested.items[1].items[0].text, "x");
  EXPECT_TRUE(nested.items[1].items[1].is_nil());
  const auto status = eval("return {ok = 'FINE'}");
  EXPECT_EQ(status.type, Type::status);
  EXPECT_EQ(status.text, "FINE");
  EXPECT_EQ(eval("return redis.status_reply('FINE')").type, Type::status);
}

TEST_P(RedisContract, RepliesBecomeLuaValues) {
  EXPECT_EQ(eval("return type(redis.call('GET', 'missing'))").text, "boolean");
  EXPECT_EQ(eval("return type(redis.call('INCR', 'n'))").text, "number");
  EXPECT_EQ(eval("return type(redis.call('GET', 'n'))").text, "string");
  EXPECT_EQ(eval("return redis.call('SET', 'n', 5).ok").text, "OK");
  EXPECT_EQ(eval("redis.call('SET', 'n', 0.5) return redis.call('GET', 'n')").text, "0.5");
  EXPECT_EQ(eval("return #redis.call('KEYS', '*')").integer, 1);
  EXPECT_EQ(eval("return redis.call('GET', KEYS[1])", {"n"}).text, "0.5");
}

TEST_P(RedisContract, ScriptErrorsAreErrors) {
  const auto error_of = [&](const char* script) {
    auto reply = redis_->eval(RedisScript(script), {}, {});
    if (reply) throw std::runtime_error("there should have been an error");
    return reply.error();
  };
  EXPECT_EQ(error_of("return redis.error_reply('MYERR oh no')").native_code, "MYERR");
  EXPECT_EQ(error_of("return {err = 'MYERR oh no'}").message.substr(0, 11), "MYERR oh no");
  EXPECT_EQ(error_of("return redis.call('NOSUCHCOMMAND')").native_code, "ERR");
  EXPECT_EQ(error_of("return redis.call()").native_code, "ERR");
  EXPECT_EQ(error_of("return redis.call('GET', {})").native_code, "ERR");
  EXPECT_NE(error_of("error('oops')").message.find("oops"), std::string::npos);
  EXPECT_NE(error_of("return nosuchthing").message.find("nosuchthing"), std::string::npos);
  EXPECT_FALSE(redis_->eval(RedisScript("x = 1"), {}, {}))
      << "a script may not make global variables";
  EXPECT_FALSE(redis_->eval(RedisScript("return os.time()"), {}, {}).has_value() &&
               std::string(GetParam()) == "embedded");
  EXPECT_EQ(error_of("return redis.call('EVAL', 'return 1', 0)").native_code, "ERR");
}

TEST_P(RedisContract, PcallHandsTheErrorToTheScript) {
  ask({"SET", "text", "abc"});
  EXPECT_EQ(
      eval("local r = redis.pcall('INCR', 'text') return r.err and 'caught' or 'missed'").text,
      "caught");
  EXPECT_EQ(eval("local ok = pcall(redis.call, 'INCR', 'text') return ok and 1 or 0").integer, 0);
  EXPECT_FALSE(
      redis_->eval(RedisScript("redis.call('SET', 'k', 'v') redis.call('INCR', 'text')"), {}, {}));
  EXPECT_EQ(must(redis_->get("k")), "v") << "a script that fails keeps what it did before";
}

TEST_P(RedisContract, CoroutinesInAScriptCallRedisToo) {
  EXPECT_EQ(
      eval("local c = coroutine.wrap(function() return redis.call('INCR', 'n') end) return c()")
          .integer,
      1);
}

TEST_P(RedisContract, KnownScriptsRunByTheirHash) {
  const RedisScript script("return 'hello'");
  EXPECT_EQ(script.sha1(), "1b936e3fe509bcbc9cd0664897bbe8fd0cac101b");
  EXPECT_EQ(fail({"EVALSHA", script.sha1(), "0"}).native_code, "NOSCRIPT");
  EXPECT_EQ(ask({"SCRIPT", "LOAD", script.source()}).text, script.sha1());
  EXPECT_EQ(ask({"EVALSHA", script.sha1(), "0"}).text, "hello");
  EXPECT_EQ(ask({"EVALSHA", "1B936E3FE509BCBC9CD0664897BBE8FD0CAC101B", "0"}).text, "hello");
}

TEST_P(RedisContract, AScriptIsLearntAgainAfterARestart) {
  EXPECT_EQ(eval("return redis.call('INCR', 'n')").integer, 1);
  EXPECT_EQ(eval("return redis.call('INCR', 'n')").integer, 2);
  redises_->kill();
  redises_->start();
  EXPECT_EQ(eval("return redis.call('INCR', 'n')").integer, 1);
}

TEST_P(RedisContract, AScriptIsOneStepForEverybodyElse) {
  const RedisScript script(
      "local n = tonumber(redis.call('GET', KEYS[1]) or '0') redis.call('SET', KEYS[1], n + 1) "
      "return n");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(redis_->eval(script, {"n"}, {}));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(must(redis_->get("n")), "800");
}

TEST_P(RedisContract, ManyThreadsEachGetTheirOwnAnswer) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const std::string key = fmt::format("k{}", t);
        const std::string value = fmt::format("{}:{}", t, i);
        EXPECT_TRUE(redis_->set(key, value));
        const auto got = redis_->get(key, {.timeout = 10s});
        ASSERT_TRUE(got) << describe(got.error());
        EXPECT_EQ(*got, value);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ask({"DBSIZE"}).integer, 16);
}

TEST_P(RedisContract, NoTimeAtAllMeansNothingIsSent) {
  const Error error = fail({"INCR", "n"}, {.timeout = 0ms});
  EXPECT_TRUE(error.code == ErrorCode::timeout || error.code == ErrorCode::exhausted)
      << describe(error);
  EXPECT_EQ(ask({"PING"}).text, "PONG");
}

TEST_P(RedisContract, ALimitEndsTheWaitForAPausedServer) {
  ask({"SET", "key", "before"});
  redises_->pause();
  const Instant start = now();
  const Error error = fail({"SET", "key", "after"}, {.timeout = 60ms});
  const Nanos waited = now() - start;
  EXPECT_EQ(error.code, ErrorCode::timeout);
  EXPECT_EQ(error.happened, Happened::unknown);
  EXPECT_GE(waited, 59ms);
  EXPECT_LT(waited, 2s);
  redises_->resume();
  EXPECT_TRUE(redis_->get("key", {.timeout = 5s})) << "the next call works";
  EXPECT_TRUE(eventually(5s, [&] { return must(redis_->get("key")) == "after"; }))
      << "the command that was given up is carried out all the same";
}

TEST_P(RedisContract, WithoutALimitACallHangsAsLongAsThePause) {
  ask({"SET", "key", "value"});
  redises_->pause();
  auto answer = std::async(std::launch::async, [&] { return redis_->get("key"); });
  EXPECT_EQ(answer.wait_for(150ms), std::future_status::timeout);
  redises_->resume();
  ASSERT_EQ(answer.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(must(answer.get()), "value");
}

TEST_P(RedisContract, ACallThatTimesOutDoesNotEndOneWithoutALimit) {
  ask({"SET", "key", "value"});
  EXPECT_TRUE(redis_->get("key", {.timeout = 5s}));
  redises_->pause();
  auto patient = std::async(std::launch::async, [&] { return redis_->get("key"); });
  EXPECT_EQ(fail({"GET", "key"}, {.timeout = 60ms}).code, ErrorCode::timeout);
  EXPECT_EQ(patient.wait_for(0ms), std::future_status::timeout);
  redises_->resume();
  EXPECT_EQ(must(patient.get()), "value");
}

TEST_P(RedisContract, ADeadServerRefusesAndALaterCallFindsItAgain) {
  ask({"SET", "key", "value"});
  redises_->kill();
  const Error error = fail({"GET", "key"}, {.timeout = 1s});
  EXPECT_TRUE(error.code == ErrorCode::refused || error.code == ErrorCode::closed)
      << describe(error);
  EXPECT_EQ(fail({"GET", "key"}, {.timeout = 1s}).code, ErrorCode::refused);
  EXPECT_EQ(fail({"GET", "key"}).happened, Happened::no);
  redises_->start();
  EXPECT_EQ(must(redis_->get("key", {.timeout = 5s})), std::nullopt)
      << "the data was in memory only";
}

TEST_P(RedisContract, AnIdleClientDoesNotNoticeARestart) {
  ask({"SET", "key", "value"});
  redises_->kill();
  redises_->start();
  EXPECT_TRUE(eventually(2s, [] { return true; }));
  EXPECT_TRUE(redis_->get("key", {.timeout = 5s}));
}

TEST_P(RedisContract, CallsUnderWayWhenTheServerDiesMayHaveHappened) {
  ask({"PING"});
  redises_->pause();
  std::vector<std::future<Result<RedisReply>>> calls;
  for (int i = 0; i < 4; ++i) {
    calls.push_back(std::async(std::launch::async, [&] {
      return redis_->command({"INCR", "n"}, {.timeout = 10s});
    }));
  }
  for (auto& call : calls) EXPECT_EQ(call.wait_for(40ms), std::future_status::timeout);
  redises_->kill();
  int unknown = 0;
  for (auto& call : calls) {
    const auto reply = call.get();
    ASSERT_FALSE(reply);
    EXPECT_TRUE(reply.error().code == ErrorCode::closed || reply.error().code == ErrorCode::refused)
        << describe(reply.error());
    unknown += reply.error().happened == Happened::unknown;
  }
  EXPECT_GE(unknown, 1);
  redises_->start();
  EXPECT_EQ(ask({"PING"}).text, "PONG");
}

TEST_P(RedisContract, KillsUnderLoadNeverMixUpAnswers) {
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string text = fmt::format("{}:{}", t, i);
        const auto reply = redis_->command({"ECHO", text}, {.timeout = 2s});
        if (!reply) continue;
        ++answered;
        wrong += reply->text != text;
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    const int before = answered;
    EXPECT_TRUE(eventually(10s, [&] { return answered > before + 50; }));
    redises_->kill();
    redises_->start();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(EmbeddedRedis, ASavedSnapshotComesBackWithItsTimeLimits) {
  EmbeddedRedis redis({.round_trip = 0us});
  const auto client = redis.client();
  EXPECT_TRUE(must(client->set("kept", "old")));
  EXPECT_TRUE(must(client->set("short", "old", {.ttl = 30ms})));
  redis.save();
  EXPECT_TRUE(must(client->set("kept", "new")));
  redis.kill();
  EXPECT_EQ(client->get("kept").error().code, ErrorCode::refused);
  redis.start();
  EXPECT_EQ(must(client->get("kept")), "old");
  EXPECT_TRUE(eventually(5s, [&] { return !must(client->get("short")); }));
}

TEST(EmbeddedRedis, ChargesItsRoundTrip) {
  EmbeddedRedis redis({.round_trip = 3ms});
  const auto client = redis.client();
  const Instant start = now();
  for (int i = 0; i < 5; ++i) must(client->command({"PING"}));
  EXPECT_GE(now() - start, 15ms);
  const std::vector<Redis::Command> commands(100, {"PING"});
  const Instant middle = now();
  must(client->pipeline(commands));
  EXPECT_LT(now() - middle, 100ms) << "a pipeline travels once";
}

TEST(EmbeddedRedis, APipelineThatMeetsAPauseFailsWholeAndHappensLater) {
  EmbeddedRedis redis({.round_trip = 0us});
  const auto client = redis.client();
  redis.pause();
  const std::vector<Redis::Command> commands(3, {"INCR", "n"});
  const auto replies = client->pipeline(commands, {.timeout = 20ms});
  ASSERT_FALSE(replies);
  EXPECT_EQ(replies.error().code, ErrorCode::timeout);
  redis.resume();
  EXPECT_EQ(must(client->get("n")), "3");
}

}  // namespace
}  // namespace lab::infra
