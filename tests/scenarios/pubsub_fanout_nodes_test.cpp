// Nodes of pubsub_fanout one by one, in this process: what a run with its lively crowd does not come upon.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/clock.h"
#include "servers/server.h"
#include "test_support.h"
#include "variants/redis_pubsub.h"
#include "variants/redis_streams_resume.h"
#include "variants/slow_consumer_bounded.h"

namespace pubsub_fanout {
namespace {

using lab::Instant;
using lab::now;
using lab::test::must;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::StartsWith;
using namespace std::chrono_literals;

const std::string kGreatest(lab::net::WebSocketLimits{}.message_bytes, 'x');

/// Keeps what it is sent, as text. Nothing ever waits for it.
class Client : public Member {
 public:
  Client(std::string name, std::string where, std::optional<Bookmark> from = {}) {
    user = std::move(name);
    room = std::move(where);
    after = from;
  }
  void write(std::string_view frames) override {
    std::vector<char> bytes(frames.begin(), frames.end());
    (void)reader_.feed(bytes, [this](const lab::net::Message& message) {
      lines.emplace_back(message.payload);
      const auto line = wire::parse(lines.back());
      if (line.numbered) stands = {line.epoch, line.first};
      if (line.kind == wire::Line::Kind::message) stands.last = line.first;
      return true;
    });
  }
  void queue(SharedFrames frames) override { write(*frames); }
  void write_blocking(std::string_view frames) override { write(frames); }
  std::size_t waiting_bytes() const override { return 0; }
  void send_away(std::string_view) override {}

  std::vector<std::string> lines;
  Bookmark stands;  // what it would come back with

 private:
  lab::net::FrameReader reader_{lab::net::Reads::as_client, 1 << 20};
};
using ClientPtr = std::shared_ptr<Client>;

template <class... Arguments>
ClientPtr client(Arguments... arguments) {
  return std::make_shared<Client>(std::move(arguments)...);
}

TEST(OneNode, AnIdleListenerHearsTheGreatestMessage) {
  lab::net::EventLoop loop;
  SlowConsumerBounded node({loop, "n1"});
  const auto ann = client("ann", "lounge");
  node.join(ann);
  node.say(ann, kGreatest);
  EXPECT_THAT(ann->lines, Contains(Eq("m 1 " + kGreatest)));
}

TEST(OneNode, WhoComesBackToAnotherLifeIsToldSo) {
  lab::net::EventLoop loop;
  SlowConsumerBounded node({loop, "n1"}), next_life({loop, "n1"});
  const auto ann = client("ann", "lounge");
  node.join(ann);
  for (int i = 0; i < 3; ++i) node.say(ann, "first life");
  for (int i = 0; i < 5; ++i) next_life.say(ann, "next life");
  const auto again = client("ann", "lounge", Bookmark{ann->stands.epoch, 2});
  node.join(again);
  EXPECT_THAT(again->lines, ElementsAre("gap 3 3", StartsWith("joined 3 ")));
  const auto back = client("ann", "lounge", ann->stands);
  next_life.join(back);
  EXPECT_THAT(back->lines, ElementsAre("gap - -", StartsWith("joined 5 ")));
}

class NodesOnRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    LAB_NEEDS(lab::servers::find_redis());
    supervisor_ = std::make_unique<lab::servers::Supervisor>();
    server_ = must(supervisor_->redis());
    address_.unix_socket = server_->socket().string();
    redis_ = lab::infra::connect_redis(address_);
  }

  template <class Node = RedisStreamsResume>
  std::unique_ptr<ChatNode> node(const char* name) {
    return std::make_unique<Node>(NodeTools{loop_, name, address_});
  }

  template <class Condition>
  bool until(const Condition& condition) {
    for (const Instant limit = now() + 10s; now() < limit && !condition();) loop_.turn(10ms);
    return condition();
  }
  bool told(const ClientPtr& client, const std::string& beginning) {
    return until([&] {
      return std::any_of(client->lines.begin(), client->lines.end(),
                         [&](const auto& line) { return line.starts_with(beginning); });
    });
  }
  /// A node has no link to Redis in its first moments.
  bool joins(ChatNode& node, const ClientPtr& client) {
    node.join(client);
    return told(client, "joined");
  }
  /// Without a turn of the nodes' loop: they look when all of this has been done.
  void redis_comes_back_with(const std::string& room, int entries,
                             std::optional<Epoch> epoch = {}) {
    must(server_->restart());
    redis_ = lab::infra::connect_redis(address_);
    if (epoch) must(redis_->command({"SET", "epoch:" + room, std::to_string(*epoch)}));
    write_to(room, entries);
  }
  void write_to(const std::string& room, int entries) {
    for (int i = 0; i < entries; ++i)
      must(redis_->command({"XADD", "room:" + room, "0-*", "m", "by another node"}));
  }

  std::unique_ptr<lab::servers::Supervisor> supervisor_;
  std::unique_ptr<lab::servers::RedisServer> server_;
  lab::infra::RedisAddress address_;
  std::unique_ptr<lab::infra::Redis> redis_;
  lab::net::EventLoop loop_;
};

TEST_F(NodesOnRedis, AnIdleListenerHearsTheGreatestMessage) {
  const auto chat = node("n1");
  const auto ann = client("ann", "lounge");
  ASSERT_TRUE(joins(*chat, ann));
  chat->say(ann, kGreatest);
  EXPECT_TRUE(told(ann, "m 1 " + kGreatest));
  EXPECT_TRUE(told(ann, "ok 1"));  // over the other link, and so before or after
}

TEST_F(NodesOnRedis, WhoDiedWithANodeIsNoGhostOfTheNextOfItsName) {
  auto first = node("n2");
  ASSERT_TRUE(joins(*first, client("ann", "lounge")));
  const auto bob = client("bob", "lounge");
  ASSERT_TRUE(joins(*first, bob));
  first->who(bob);
  ASSERT_TRUE(told(bob, "who "));
  ASSERT_THAT(bob->lines.back(), AnyOf("who ann bob", "who bob ann"));  // a set has no order
  first.reset();  // without a word to Redis, as one that is killed
  const auto second = node("n2");
  ASSERT_TRUE(joins(*second, client("dan", "hall")));  // it is up, and knows of no lounge yet
  const auto cid = client("cid", "lounge");
  ASSERT_TRUE(joins(*second, cid));
  EXPECT_TRUE(until([&] {
    cid->lines.clear();
    second->who(cid);
    return told(cid, "who") && cid->lines == std::vector<std::string>{"who cid"};
  })) << cid->lines.back();
}

TEST_F(NodesOnRedis, WhoComesBackToAnotherHistoryIsToldSo) {
  const auto chat = node("n1");
  const auto ann = client("ann", "lounge"), bob = client("bob", "lounge");
  ASSERT_TRUE(joins(*chat, ann) && joins(*chat, bob));
  for (int i = 0; i < 3; ++i) chat->say(ann, "first");
  ASSERT_TRUE(told(ann, "m 3") && told(bob, "m 3"));
  chat->leave(bob);
  // Redis comes back empty, and before this node looks, another has written past the places that it knew.
  redis_comes_back_with("lounge", 5);
  EXPECT_TRUE(told(ann, "gap - -"));
  const auto back = client("bob", "lounge", bob->stands);
  ASSERT_TRUE(joins(*chat, back));
  EXPECT_EQ(back->lines.front(), "gap - -");
  EXPECT_NE(back->stands.epoch, bob->stands.epoch);
  EXPECT_EQ(ann->stands.epoch, back->stands.epoch);
}

/// As a replica would that had not heard everything: the epoch is there, the last entries are not.
TEST_F(NodesOnRedis, AHistoryThatGotShorterIsOfANewEpoch) {
  const auto chat = node("n1");
  const auto ann = client("ann", "lounge"), bob = client("bob", "lounge");
  ASSERT_TRUE(joins(*chat, ann) && joins(*chat, bob));
  for (int i = 0; i < 3; ++i) chat->say(ann, "first");
  ASSERT_TRUE(told(ann, "m 3") && told(bob, "m 3"));
  chat->leave(bob);
  redis_comes_back_with("lounge", 2, bob->stands.epoch);
  EXPECT_TRUE(told(ann, "gap - -"));
  write_to("lounge", 5);
  const auto back = client("bob", "lounge", bob->stands);
  ASSERT_TRUE(joins(*chat, back));
  EXPECT_EQ(back->lines.front(), "gap - -");
}

TEST_F(NodesOnRedis, ARoomMayHaveTheNameOfAKey) {
  const auto chat = node("n1");
  for (const char* name : {"nodes", "who", "epoch"}) {
    const auto ann = client("ann", name);
    ASSERT_TRUE(joins(*chat, ann)) << name;
    chat->say(ann, "hello");
    EXPECT_TRUE(told(ann, "m 1 hello")) << name;
  }
}

TEST_F(NodesOnRedis, AnErrorOfRedisDeafensNobodyForGood) {
  const auto chat = node("n1");
  const auto ann = client("ann", "lounge"), bob = client("bob", "broken");
  ASSERT_TRUE(joins(*chat, ann) && joins(*chat, bob));
  must(redis_->command({"SET", "room:broken", "no stream"}));
  chat->say(bob, "anyone?");
  ASSERT_TRUE(told(bob, "no "));
  ASSERT_TRUE(until([&] {  // and whoever waits for what is new has had the same error
    const auto errors = must(redis_->command({"INFO", "errorstats"})).text;
    return errors.find("errorstat_WRONGTYPE:count=1\r") == std::string::npos;
  }));
  must(redis_->command({"DEL", "room:broken"}));
  chat->say(ann, "hello");
  EXPECT_TRUE(told(ann, "m 1 hello"));
}

TEST_F(NodesOnRedis, ARedisThatIsStoppedIsNotWaitedFor) {
  const auto streams = node("n1"), channels = node<RedisPubsub>("n2");
  const auto ann = client("ann", "lounge"), bob = client("bob", "lounge");
  int ups = 0;
  RedisLink listener(
      loop_, address_, [&ups] { ++ups; }, [](const auto&) {});
  ASSERT_TRUE(joins(*streams, ann) && joins(*channels, bob) && until([&] { return ups == 1; }));
  must(server_->pause());
  streams->say(ann, "anyone?");
  streams->who(ann);
  channels->say(bob, "anyone?");
  channels->who(bob);
  EXPECT_TRUE(told(ann, "maybe") && told(bob, "maybe"));
  EXPECT_TRUE(told(ann, "who?") && told(bob, "who?")) << "what is not known is not nobody";
  EXPECT_TRUE(until([&] { return !listener.up(); })) << "nobody owes it an answer, and still";
  must(server_->resume());
  // Once more, until both links of each are up again.
  EXPECT_TRUE(until([&] {
    streams->say(ann, "again");
    channels->say(bob, "again");
    loop_.turn(10ms);
    const auto hears = [](const ClientPtr& client) {
      return std::any_of(client->lines.begin(), client->lines.end(),
                         [](const auto& line) { return line.ends_with(" again"); });
    };
    return hears(ann) && hears(bob);
  }));
  EXPECT_TRUE(until([&] { return ups > 1; }));
}

TEST_F(NodesOnRedis, ALinkToARedisThatHasNothingToSayStaysUp) {
  int ups = 0, commands_ups = 0;
  std::unique_ptr<RedisLink> listener;
  listener = std::make_unique<RedisLink>(
      loop_, address_,
      [&] {
        ++ups;
        listener->send({"SUBSCRIBE", "lounge"});
      },
      [](const auto&) {});
  const RedisLink commands(loop_, address_, [&commands_ups] { ++commands_ups; });
  ASSERT_TRUE(until([&] { return ups == 1 && commands_ups == 1; }));
  bool over = false;
  loop_.after(2 * RedisLink::kSilence, [&over] { over = true; });
  EXPECT_TRUE(until([&] { return over; }));
  EXPECT_TRUE(listener->up() && commands.up());
  EXPECT_EQ(ups, 1);
  EXPECT_EQ(commands_ups, 1);
}

TEST_F(NodesOnRedis, ForARedisThatIsStoppedOnlySoMuchIsKept) {
  const auto streams = node("n1"), channels = node<RedisPubsub>("n2");
  const auto ann = client("ann", "lounge"), bob = client("bob", "lounge");
  ASSERT_TRUE(joins(*streams, ann) && joins(*channels, bob));
  must(server_->pause());
  const std::string text(16 * 1024, 'x');
  constexpr std::ptrdiff_t kSayings = 500;  // 8 MiB each
  for (auto i = kSayings; i > 0; --i) {
    streams->say(ann, text);
    channels->say(bob, text);
    loop_.turn(0ms);
  }
  must(server_->resume());
  const auto answers = [](const ClientPtr& client) {
    std::vector<std::string> found;
    for (const auto& line : client->lines) {
      for (const std::string answer : {"ok", "no", "maybe"}) {
        if (line.starts_with(answer)) found.push_back(answer);
      }
    }
    return found;
  };
  for (const auto& client : {ann, bob}) {
    EXPECT_TRUE(until([&] { return std::ssize(answers(client)) == kSayings; }));
    const auto all = answers(client);
    const auto taken = [](const std::string& answer) { return answer != "no"; };
    // The kernel takes some, and the node keeps kMostUnsent. Answers come in the order of what was said.
    EXPECT_LT(std::count_if(all.begin(), all.end(), taken), kSayings / 10);
    EXPECT_TRUE(std::is_partitioned(all.begin(), all.end(), taken));
    EXPECT_TRUE(taken(all.front()));
  }
}

}  // namespace
}  // namespace pubsub_fanout
