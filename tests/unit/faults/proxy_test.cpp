#include "faults/proxy.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <numeric>

#include "core/random.h"
#include "peers.h"
#include "test_support.h"

namespace lab::faults {
namespace {

using test::echo;
using test::Peer;
using test::TestServer;

/// Long enough to believe that nothing comes; nothing waits this long when all is well.
constexpr auto kSilence = 50ms;

std::string random_bytes(std::size_t size, std::uint64_t seed = 7) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.below(256));
  return bytes;
}

/// Sends on a thread of its own while receiving, because the echo fills the buffers between.
std::string through_echo(Peer& peer, const std::string& bytes) {
  std::thread sender([&] { EXPECT_EQ(peer.send(bytes), 0); });
  auto received = peer.receive(bytes.size());
  sender.join();
  return received;
}

struct Kinds {
  bool listen_unix, upstream_unix;
};

class FaultProxyOverBoth : public ::testing::TestWithParam<Kinds> {
 protected:
  lab::test::TestFolder folder;
  TestServer server{echo, GetParam().upstream_unix ? (folder / "server").string() : ""};
  FaultProxy proxy{
      {server.endpoint(), GetParam().listen_unix ? (folder / "proxy").string() : "", 1}};
};

INSTANTIATE_TEST_SUITE_P(Sockets, FaultProxyOverBoth,
                         ::testing::Values(Kinds{false, false}, Kinds{false, true},
                                           Kinds{true, false}, Kinds{true, true}),
                         [](const auto& tested) {
                           return std::string(tested.param.listen_unix ? "Unix" : "Tcp") + "To" +
                                  (tested.param.upstream_unix ? "Unix" : "Tcp");
                         });

TEST_P(FaultProxyOverBoth, WithoutDamageEveryByteArrives) {
  Peer peer(proxy.endpoint());
  const auto sent = random_bytes(1 << 20);
  EXPECT_EQ(through_echo(peer, sent), sent);
  const auto counters = proxy.counters();
  EXPECT_EQ(counters.accepted, 1u);
  EXPECT_EQ(counters.bytes_up, sent.size());
  EXPECT_EQ(counters.bytes_down, sent.size());
}

TEST_P(FaultProxyOverBoth, RefusesNewConnectionsAndKeepsOpenOnes) {
  Peer open(proxy.endpoint());
  EXPECT_EQ(through_echo(open, "before"), "before");
  for (int round = 0; round < 3; ++round) {
    proxy.set({.refuse = true});
    EXPECT_EQ(Peer(proxy.endpoint()).connect_error(), ECONNREFUSED);
    EXPECT_EQ(through_echo(open, "during"), "during");
    proxy.set({});
    Peer after(proxy.endpoint());
    EXPECT_EQ(after.connect_error(), 0);
    EXPECT_EQ(through_echo(after, "after"), "after");
  }
}

TEST_P(FaultProxyOverBoth, ResetAllClosesBothSides) {
  Peer first(proxy.endpoint()), second(proxy.endpoint());
  EXPECT_EQ(through_echo(first, "x"), "x");
  EXPECT_EQ(through_echo(second, "y"), "y");
  EXPECT_EQ(proxy.reset_all(), 2u);
  EXPECT_EQ(first.receive(1), "");
  if (!GetParam().listen_unix) {
    EXPECT_EQ(first.last_error(), ECONNRESET);
  }
  EXPECT_EQ(second.receive(1), "");
  EXPECT_EQ(proxy.counters().resets, 2u);
  EXPECT_EQ(proxy.reset_all(), 0u);
  Peer third(proxy.endpoint());
  EXPECT_EQ(through_echo(third, "new ones are welcome"), "new ones are welcome");
}

TEST_P(FaultProxyOverBoth, AHalfCloseIsPassedOn) {
  Peer peer(proxy.endpoint());
  ASSERT_EQ(peer.send("question"), 0);
  peer.finish_sending();
  EXPECT_EQ(peer.receive_to_end(), "question");
  EXPECT_EQ(peer.last_error(), 0);
}

TEST_P(FaultProxyOverBoth, ABlackholeSwallowsAndLosesWhatItSwallowed) {
  Peer peer(proxy.endpoint());
  EXPECT_EQ(through_echo(peer, "before"), "before");
  proxy.set({.blackhole = true});
  ASSERT_EQ(peer.send("lost"), 0);
  EXPECT_FALSE(peer.hears_within(kSilence));
  Peer newcomer(proxy.endpoint());
  EXPECT_EQ(newcomer.connect_error(), 0);
  ASSERT_EQ(newcomer.send("lost too"), 0);
  EXPECT_FALSE(newcomer.hears_within(kSilence));
  proxy.set({});
  EXPECT_EQ(through_echo(peer, "after"), "after");
}

class FaultProxyTest : public ::testing::Test {
 protected:
  TestServer server{echo};
  FaultProxy proxy{{server.endpoint(), "", 1}};
};

TEST_F(FaultProxyTest, LatencyIsAddedInEachDirection) {
  proxy.set({.latency = 30ms});
  Peer peer(proxy.endpoint());
  const auto began = now();
  EXPECT_EQ(through_echo(peer, "ping"), "ping");
  EXPECT_GE(now() - began, 60ms);
}

TEST_F(FaultProxyTest, LatencyCanBeTakenAwayFromBytesUnderWay) {
  proxy.set({.latency = 1h});
  Peer peer(proxy.endpoint());
  ASSERT_EQ(peer.send("patience"), 0);
  EXPECT_FALSE(peer.hears_within(kSilence));
  proxy.set({});
  EXPECT_EQ(peer.receive(8), "patience");
}

TEST_F(FaultProxyTest, JitterKeepsTheOrder) {
  proxy.set({.latency = 3ms, .jitter = 3ms});
  Peer peer(proxy.endpoint());
  std::string sent;
  std::thread sender([&] {
    for (int i = 0; i < 200; ++i) {
      const auto message = std::to_string(i) + ";";
      sent += message;
      ASSERT_EQ(peer.send(message), 0);
      std::this_thread::sleep_for(100us);
    }
    peer.finish_sending();
  });
  const auto received = peer.receive_to_end();
  sender.join();
  EXPECT_EQ(received, sent);
}

/// By how much the machine oversleeps while this lives, at worst.
class OversleepMeter {
 public:
  OversleepMeter() : thread_([this] { measure(); }) {}
  ~OversleepMeter() { stop(); }
  Nanos stop() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
    return worst_;
  }

 private:
  void measure() {
    while (!done_) {
      const auto began = now();
      std::this_thread::sleep_for(1ms);
      worst_ = std::max(worst_, now() - began - Nanos(1ms));
    }
  }
  std::atomic<bool> done_{false};
  Nanos worst_{};
  std::thread thread_;
};

TEST_F(FaultProxyTest, TheThrottleHoldsItsRate) {
  constexpr std::uint64_t kRate = 400'000;
  constexpr std::size_t kSize = 100'000;  // a quarter of a second
  proxy.set({.bytes_per_second = kRate});
  Peer peer(proxy.endpoint());
  OversleepMeter oversleep;
  const auto began = now();
  EXPECT_EQ(through_echo(peer, random_bytes(kSize)).size(), kSize);
  const auto took = now() - began;
  // The first step needs no waiting, and timers that fire late are made up for by 20 ms at most; a
  // busy machine may be later than that, as often as it oversleeps badly.
  EXPECT_GE(took, 250ms - 30ms);
  EXPECT_LE(took, 250ms + 30ms + 8 * oversleep.stop());
}

TEST_F(FaultProxyTest, ASlicePassesAndTheNextWaits) {
  proxy.set({.slice_bytes = 4, .slice_delay = 1h});
  Peer peer(proxy.endpoint());
  ASSERT_EQ(peer.send("onceuponatime"), 0);
  EXPECT_EQ(peer.receive(4), "once");
  EXPECT_FALSE(peer.hears_within(kSilence));
  proxy.set({.slice_bytes = 1});
  EXPECT_EQ(peer.receive(9), "uponatime");
}

std::string corrupted(std::uint64_t seed, const std::string& bytes, std::uint64_t& counted) {
  TestServer server(echo);
  FaultProxy proxy({server.endpoint(), "", seed});
  proxy.set({.slice_bytes = 1 + seed * 1000, .corrupt_one_byte_in = 100});
  Peer peer(proxy.endpoint());
  auto received = through_echo(peer, bytes);
  counted = proxy.counters().bytes_corrupted;
  return received;
}

TEST(FaultProxyCorruption, IsReproducibleFromItsSeedAndAboutAsFrequentAsAsked) {
  const auto sent = random_bytes(200'000);
  std::uint64_t counted = 0;
  const auto first = corrupted(5, sent, counted);
  ASSERT_EQ(first.size(), sent.size());
  std::uint64_t different = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto flipped = static_cast<unsigned char>(first[i] ^ sent[i]);
    if (flipped == 0) continue;
    ++different;
    EXPECT_EQ(__builtin_popcount(flipped), 1) << "one bit of byte " << i;
  }
  EXPECT_EQ(different, counted);
  EXPECT_NEAR(static_cast<double>(different), 2000, 5 * 44.5);  // five standard deviations
  EXPECT_EQ(corrupted(5, sent, counted), first);
  EXPECT_NE(corrupted(6, sent, counted), first);
}

TEST_F(FaultProxyTest, AHundredConnectionsAtOnce) {
  std::vector<Peer> peers;
  for (int i = 0; i < 100; ++i) peers.emplace_back(proxy.endpoint());
  for (std::size_t i = 0; i < peers.size(); ++i) {
    ASSERT_EQ(peers[i].send(random_bytes(1000, i)), 0);
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_EQ(peers[i].receive(1000), random_bytes(1000, i));
  }
  EXPECT_EQ(proxy.counters().accepted, 100u);
  EXPECT_EQ(proxy.reset_all(), 100u);
}

TEST(FaultProxy, DestructionEndsOpenConnections) {
  TestServer server(echo);
  auto proxy = std::make_unique<FaultProxy>(FaultProxy::Options{server.endpoint(), "", 1});
  proxy->set({.latency = 10ms});
  Peer peer(proxy->endpoint());
  ASSERT_EQ(peer.send(random_bytes(100'000)), 0);
  const auto endpoint = proxy->endpoint();
  proxy.reset();
  peer.receive_to_end();
  EXPECT_NE(peer.last_error(), EAGAIN) << "neither the end nor an error came";
  EXPECT_EQ(Peer(endpoint).connect_error(), ECONNREFUSED);
}

TEST(FaultProxy, AnUpstreamThatIsNotThereResetsTheClient) {
  lab::test::TestFolder folder;
  FaultProxy proxy({{.unix_socket = (folder / "nobody").string()}, "", 1});
  Peer peer(proxy.endpoint());
  EXPECT_EQ(peer.receive(1), "");
  EXPECT_EQ(peer.last_error(), ECONNRESET);
  EXPECT_EQ(proxy.counters().unreachable, 1u);
  proxy.set({.blackhole = true});
  Peer in_the_dark(proxy.endpoint());
  EXPECT_FALSE(in_the_dark.hears_within(kSilence)) << "a blackhole closes nothing";
  proxy.set({});
  EXPECT_EQ(in_the_dark.receive(1), "");
}

TEST(FaultProxy, AResetByTheServerIsPassedOn) {
  TestServer server([](Peer peer) {
    peer.receive(5);
    peer.reset();
  });
  FaultProxy proxy({server.endpoint(), "", 1});
  Peer peer(proxy.endpoint());
  ASSERT_EQ(peer.send("hello"), 0);
  EXPECT_EQ(peer.receive(1), "");
  EXPECT_EQ(peer.last_error(), ECONNRESET);
}

TEST(FaultProxy, AnswersToAHalfCloseWaitOutABlackhole) {
  TestServer server(echo);
  FaultProxy proxy({server.endpoint(), "", 1});
  Peer peer(proxy.endpoint());
  EXPECT_EQ(through_echo(peer, "x"), "x");
  proxy.set({.blackhole = true});
  peer.finish_sending();
  EXPECT_FALSE(peer.hears_within(kSilence));
  proxy.set({});
  EXPECT_EQ(peer.receive_to_end(), "");
  EXPECT_EQ(peer.last_error(), 0);
}

TEST(FaultProxy, AServerThatDoesNotReadIsFeltByTheSender) {
  std::promise<void> enough;
  TestServer server([done = enough.get_future().share()](Peer) { done.wait(); });
  FaultProxy proxy({server.endpoint(), "", 1});
  Peer peer(proxy.endpoint());
  const std::string block(64 * 1024, 'x');
  std::size_t sent = 0;
  const std::size_t absurd = 64u << 20;  // far above the kernel's buffers on the way
  while (sent < absurd) {
    const ssize_t took =
        ::send(peer.handle(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (took > 0) {
      sent += static_cast<std::size_t>(took);
      continue;
    }
    // Full for the moment, or for good?
    const auto before = proxy.counters().bytes_up;
    std::this_thread::sleep_for(20ms);
    if (proxy.counters().bytes_up == before) break;
  }
  EXPECT_LT(sent, absurd);
  enough.set_value();
}

TEST(FaultProxy, SaysWhyItCannotListenOrResolve) {
  TestServer server(echo);
  try {
    FaultProxy proxy({server.endpoint(), "/nowhere/at/all", 1});
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::unavailable);
    EXPECT_NE(failure.error().message.find("/nowhere/at/all"), std::string::npos);
  }
  try {
    FaultProxy proxy({{.unix_socket = std::string(200, 'x')}, "", 1});
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::invalid);
  }
}

TEST_F(FaultProxyTest, TheDamageInForceCanBeRead) {
  proxy.set({.latency = 5ms, .refuse = true});
  EXPECT_EQ(proxy.damage().latency, Nanos(5ms));
  EXPECT_TRUE(proxy.damage().refuse);
}

TEST_F(FaultProxyTest, ManyThreadsMayUseIt) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        if (t == 0) proxy.set({.latency = i % 2 == 0 ? Nanos(1ms) : Nanos(0)});
        if (t == 1) proxy.reset_all();
        if (t == 2) (void)proxy.counters();
        if (t == 3) Peer(proxy.endpoint()).send("x");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  proxy.set({});
  Peer peer(proxy.endpoint());
  EXPECT_EQ(through_echo(peer, "fine"), "fine");
}

}  // namespace
}  // namespace lab::faults
