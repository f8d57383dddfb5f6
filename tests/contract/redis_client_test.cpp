// What only a client of a real server can meet: a server that lies, stalls, dribbles or hangs up.
#include "infra/redis_client.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "fake_server.h"
#include "infra/redis_batch.h"

namespace lab::infra {
namespace {

using test::FakeServer;
using test::must;

RedisAddress address_of(const FakeServer& server) {
  RedisAddress address;
  address.unix_socket = server.socket();
  return address;
}

/// A server that behaves: +PONG to whatever comes in one piece.
void answer_all(FakeServer::Connection& connection) {
  while (!connection.receive().empty()) connection.send("+PONG\r\n");
}

class RedisClient : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Redis> client(const FakeServer& server, std::size_t connections = 16) {
    return connect_redis(address_of(server),
                         {.connections = connections, .batch_calls = GetParam()});
  }
  Error error_of(Redis& redis, RedisCall call = {.timeout = 5s}) {
    auto reply = redis.command({"PING"}, call);
    if (reply) throw std::runtime_error("there should have been an error");
    return reply.error();
  }
};

INSTANTIATE_TEST_SUITE_P(Both, RedisClient, ::testing::Bool(),
                         [](const auto& chosen) { return chosen.param ? "batched" : "pooled"; });

TEST_P(RedisClient, GarbageIsAProtocolErrorAndTheNextCallAsksAfresh) {
  for (const char* garbage : {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x16\x03\x01\x02",
                              "$5\r\nab\r\ncdefgh\r\n", ":12x\r\n", "*-7\r\n", "$-7\r\n",
                              "*999999999999\r\n", "*200000000\r\n", "+OK\r\n+MORE\r\n"}) {
    FakeServer server([garbage](FakeServer::Connection& connection) {
      if (connection.number() > 1) return answer_all(connection);
      connection.receive();
      connection.send(garbage);
      connection.swallow();
    });
    const auto redis = client(server);
    const Error error = error_of(*redis);
    EXPECT_EQ(error.code, ErrorCode::protocol) << garbage << ": " << describe(error);
    EXPECT_EQ(error.happened, Happened::unknown);
    const auto next = redis->command({"PING"}, {.timeout = 5s});
    ASSERT_TRUE(next) << describe(next.error());
    EXPECT_EQ(server.connections(), 2);
  }
}

TEST_P(RedisClient, AServerThatNeverAnswersTimesOut) {
  FakeServer server([](FakeServer::Connection& connection) { connection.swallow(); });
  const auto redis = client(server);
  for (const Nanos limit : {Nanos(5ms), Nanos(60ms)}) {
    const Instant start = now();
    const Error error = error_of(*redis, {.timeout = limit});
    EXPECT_EQ(error.code, ErrorCode::timeout);
    EXPECT_EQ(error.happened, Happened::unknown);
    EXPECT_GE(now() - start, limit - 1ms);
    EXPECT_LT(now() - start, 2s);
  }
}

TEST_P(RedisClient, ALimitChangesFromCallToCall) {
  FakeServer server([](FakeServer::Connection& connection) {
    for (int i = 0; i < 3 && !connection.receive().empty(); ++i) connection.send("+PONG\r\n");
    connection.swallow();
  });
  const auto redis = client(server, 1);
  EXPECT_TRUE(redis->command({"PING"}, {.timeout = 10s}));
  EXPECT_TRUE(redis->command({"PING"}, {.timeout = 30ms * 100}));
  EXPECT_TRUE(redis->command({"PING"}, {.timeout = 2s}));
  const Instant start = now();
  EXPECT_EQ(error_of(*redis, {.timeout = 40ms}).code, ErrorCode::timeout);
  EXPECT_LT(now() - start, 1500ms);
}

TEST_P(RedisClient, TheLimitIsForTheWholeAnswerNotForEachByte) {
  FakeServer server([](FakeServer::Connection& connection) {
    connection.receive();
    const std::string answer = "$1000\r\n" + std::string(1000, 'x') + "\r\n";
    for (std::size_t i = 0; i < answer.size() && !connection.stopping(); ++i) {
      if (!connection.send(answer.substr(i, 1))) return;
      sleep_for(5ms);
    }
  });
  const auto redis = client(server);
  const Instant start = now();
  EXPECT_EQ(error_of(*redis, {.timeout = 120ms}).code, ErrorCode::timeout);
  EXPECT_GE(now() - start, 119ms);
  EXPECT_LT(now() - start, 2s);
}

TEST_P(RedisClient, AnAnswerInSlicesIsPutTogether) {
  FakeServer server([](FakeServer::Connection& connection) {
    connection.receive();
    const std::string answer = "*2\r\n$5\r\nhello\r\n:42\r\n";
    for (std::size_t i = 0; i < answer.size(); ++i) {
      connection.send(answer.substr(i, 1));
      sleep_for(200us);
    }
    connection.swallow();
  });
  const auto redis = client(server);
  const auto reply = must(redis->command({"ANY"}, {.timeout = 10s}));
  ASSERT_EQ(reply.items.size(), 2u);
  EXPECT_EQ(reply.items[0].text, "hello");
  EXPECT_EQ(reply.items[1].integer, 42);
}

TEST_P(RedisClient, AServerThatHangsUpInsteadOfAnsweringMayHaveDoneIt) {
  for (const char* half : {"", "$5\r\nhe"}) {
    FakeServer server([half](FakeServer::Connection& connection) {
      connection.receive();
      connection.send(half);
    });
    const auto redis = client(server);
    const Error error = error_of(*redis);
    EXPECT_EQ(error.code, ErrorCode::closed);
    EXPECT_EQ(error.happened, Happened::unknown);
  }
}

TEST_P(RedisClient, NobodyThereIsRefused) {
  RedisAddress address;
  address.unix_socket = "/tmp/there-is-no-such-socket";
  auto redis = connect_redis(address, {.batch_calls = GetParam()});
  Error error = error_of(*redis);
  EXPECT_EQ(error.code, ErrorCode::refused);
  EXPECT_EQ(error.happened, Happened::no);
  EXPECT_NE(error.message.find("PING"), std::string::npos);
  EXPECT_NE(error.message.find(address.unix_socket), std::string::npos);

  RedisAddress port_of_nobody;
  port_of_nobody.port = 1;
  redis = connect_redis(port_of_nobody, {.batch_calls = GetParam()});
  EXPECT_EQ(error_of(*redis).code, ErrorCode::refused);
}

TEST_P(RedisClient, AConnectionClosedWhileIdleIsReplacedUnnoticed) {
  FakeServer server(answer_all);
  const auto redis = client(server);
  EXPECT_TRUE(redis->command({"PING"}, {.timeout = 5s}));
  server.hang_up();
  sleep_for(5ms);  // longer than a connection goes unchecked
  const auto reply = redis->command({"PING"}, {.timeout = 5s});
  ASSERT_TRUE(reply) << describe(reply.error());
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(RedisClient, ConnectionsAreOpenedOnFirstUseAndKept) {
  FakeServer server(answer_all);
  const auto redis = client(server);
  EXPECT_EQ(server.connections(), 0);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(redis->command({"PING"}, {.timeout = 5s}));
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(RedisClient, LogsInAndChoosesItsDatabase) {
  std::promise<std::string> greeting;
  FakeServer server([&](FakeServer::Connection& connection) {
    greeting.set_value(connection.receive());
    connection.send("+OK\r\n+OK\r\n");
    answer_all(connection);
  });
  RedisAddress address = address_of(server);
  address.user = "ada";
  address.password = "secret";
  address.database = 3;
  const auto redis = connect_redis(address, {.batch_calls = GetParam()});
  EXPECT_TRUE(redis->command({"PING"}, {.timeout = 5s}));
  EXPECT_EQ(greeting.get_future().get(),
            "*3\r\n$4\r\nAUTH\r\n$3\r\nada\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
}

TEST_P(RedisClient, AWrongPasswordIsRefusedAndNotShown) {
  FakeServer server([](FakeServer::Connection& connection) {
    connection.receive();
    connection.send("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    connection.swallow();
  });
  RedisAddress address = address_of(server);
  address.password = "hunter2";
  const auto redis = connect_redis(address, {.batch_calls = GetParam()});
  const Error error = error_of(*redis);
  EXPECT_EQ(error.code, ErrorCode::refused);
  EXPECT_EQ(error.happened, Happened::no);
  EXPECT_EQ(error.native_code, "WRONGPASS");
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos);
}

TEST_P(RedisClient, AServerThatTakesConnectionsButNeverSpeaksTimesOutWhileLoggingIn) {
  FakeServer server([](FakeServer::Connection& connection) { connection.swallow(); });
  RedisAddress address = address_of(server);
  address.password = "x";
  const auto redis = connect_redis(address, {.connect_timeout = 50ms, .batch_calls = GetParam()});
  const Error error = error_of(*redis, {});
  EXPECT_EQ(error.code, ErrorCode::timeout);
  EXPECT_EQ(error.happened, Happened::no) << "the command itself was never sent";
}

TEST_P(RedisClient, AFullBacklogTimesOutWhileConnecting) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&here), size), 0);
  ASSERT_EQ(::listen(listener, 0), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&here), &size), 0);
  std::vector<int> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(waiting.back(), reinterpret_cast<sockaddr*>(&here), sizeof here);
  }
  RedisAddress address;
  address.port = ntohs(here.sin_port);
  const auto redis = connect_redis(address, {.connect_timeout = 80ms, .batch_calls = GetParam()});
  const Instant start = now();
  const Error error = error_of(*redis, {});
  EXPECT_EQ(error.code, ErrorCode::timeout) << describe(error);
  EXPECT_EQ(error.happened, Happened::no);
  EXPECT_GE(now() - start, 79ms);
  EXPECT_LT(now() - start, 2s);
  for (const int socket : waiting) ::close(socket);
  ::close(listener);
}

TEST(PooledRedis, AnExhaustedPoolSaysSo) {
  std::promise<void> asked;
  FakeServer server([&](FakeServer::Connection& connection) {
    connection.receive();
    asked.set_value();
    connection.swallow();
  });
  const auto redis = connect_redis(address_of(server), {.connections = 1});
  auto first =
      std::async(std::launch::async, [&] { return redis->command({"PING"}, {.timeout = 500ms}); });
  asked.get_future().wait();
  const auto second = redis->command({"PING"}, {.timeout = 30ms});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::exhausted);
  EXPECT_EQ(second.error().happened, Happened::no);
  EXPECT_EQ(first.get().error().code, ErrorCode::timeout);
}

TEST(PooledRedis, NeverOpensMoreConnectionsThanItMay) {
  FakeServer server(answer_all);
  const auto redis = connect_redis(address_of(server), {.connections = 3});
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(redis->command({"PING"}));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(server.connections(), 3);
}

/// One lane alone, so that it is certain who shares what.
class BatchLane : public ::testing::Test {
 protected:
  static constexpr std::string_view ping = "*1\r\n$4\r\nPING\r\n";
  static std::future<Result<RedisReply>> call(RedisBatchLane& lane, Nanos limit) {
    return std::async(std::launch::async,
                      [&lane, limit] { return lane.call(ping, Deadline(limit)); });
  }
};

TEST_F(BatchLane, ACallThatTimesOutClosesTheConnectionItShared) {
  std::promise<void> asked;
  FakeServer server([&](FakeServer::Connection& connection) {
    if (connection.number() > 1) return answer_all(connection);
    connection.receive();
    asked.set_value();
    connection.swallow();
  });
  RedisBatchLane lane(address_of(server), 1s);
  auto leader = call(lane, 150ms);
  asked.get_future().wait();
  // Its batch cannot go before the first one is answered: it is not sent at all.
  const auto waiting = lane.call(ping, Deadline(Nanos(30ms)));
  ASSERT_FALSE(waiting);
  EXPECT_EQ(waiting.error().code, ErrorCode::timeout);
  EXPECT_EQ(waiting.error().happened, Happened::no);
  EXPECT_EQ(leader.get().error().code, ErrorCode::timeout);
  EXPECT_TRUE(lane.call(ping, Deadline(Nanos(5s))));
}

TEST_F(BatchLane, TheFirstInLineMayGiveUpAndTheNextOneLeads) {
  std::promise<void> asked, answer;
  FakeServer server([&](FakeServer::Connection& connection) {
    connection.receive();
    asked.set_value();
    answer.get_future().wait();
    connection.send("+PONG\r\n");
    answer_all(connection);
  });
  RedisBatchLane lane(address_of(server), 1s);
  auto leader = call(lane, 10s);
  asked.get_future().wait();
  auto next = call(lane, 30ms);
  sleep_for(10ms);
  auto after = call(lane, 10s);
  EXPECT_EQ(next.get().error().happened, Happened::no);
  answer.set_value();
  EXPECT_TRUE(leader.get());
  const auto reply = after.get();
  EXPECT_TRUE(reply) << describe(reply.error());
}

TEST_F(BatchLane, PartOfABatchIsAnsweredBeforeTheConnectionBreaks) {
  std::promise<void> asked, answer;
  FakeServer server([&](FakeServer::Connection& connection) {
    if (connection.number() > 1) return answer_all(connection);
    connection.receive();
    asked.set_value();
    answer.get_future().wait();
    connection.send("+FIRST\r\n");
    connection.receive();  // the batch that formed meanwhile: three commands
    connection.send("+SECOND\r\n");
  });
  RedisBatchLane lane(address_of(server), 1s);
  auto leader = call(lane, 10s);
  asked.get_future().wait();
  std::vector<std::future<Result<RedisReply>>> followers;
  for (int i = 0; i < 3; ++i) followers.push_back(call(lane, 10s));
  for (auto& follower : followers) EXPECT_EQ(follower.wait_for(40ms), std::future_status::timeout);
  answer.set_value();
  EXPECT_EQ(must(leader.get()).text, "FIRST");
  int answered = 0;
  for (auto& follower : followers) {
    const auto reply = follower.get();
    if (reply) {
      answered += reply->text == "SECOND";
    } else {
      EXPECT_EQ(reply.error().code, ErrorCode::closed);
      EXPECT_EQ(reply.error().happened, Happened::unknown);
    }
  }
  EXPECT_EQ(answered, 1);
}

TEST_F(BatchLane, WithOneLimitPassedTheOthersSeeABrokenConnection) {
  std::promise<void> asked, answer;
  FakeServer server([&](FakeServer::Connection& connection) {
    connection.receive();
    asked.set_value();
    answer.get_future().wait();
    connection.send("+PONG\r\n");
    connection.swallow();
  });
  RedisBatchLane lane(address_of(server), 1s);
  auto leader = call(lane, 10s);
  asked.get_future().wait();
  auto patient = call(lane, 10s);
  auto hasty = call(lane, 200ms);
  EXPECT_EQ(hasty.wait_for(40ms), std::future_status::timeout);
  answer.set_value();
  EXPECT_TRUE(leader.get());
  EXPECT_EQ(hasty.get().error().code, ErrorCode::timeout);
  const auto reply = patient.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::closed);
  EXPECT_EQ(reply.error().happened, Happened::unknown);
}

}  // namespace
}  // namespace lab::infra
