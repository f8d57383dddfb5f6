#include "net/slow_peers.h"

#include <gtest/gtest.h>

#include "echo_server.h"
#include "net/http_load.h"
#include "net/server_process.h"
#include "test_support.h"

namespace lab::net {
namespace {

using test::eventually;
using Manner = SlowPeersOptions::Manner;

TEST(SlowPeers, ConnectAndGoAsTheyPlease) {
  const auto server = echo_server();
  const auto open = [&] { return server.usage()->open_descriptors; };
  const std::size_t before = open();
  {
    const SlowPeers silent({.port = server.port(), .peers = 20, .manner = Manner::silent});
    EXPECT_EQ(silent.report().connected, 20U);
    EXPECT_TRUE(eventually(5s, [&] { return open() == before + 20; }));
    EXPECT_FALSE(silent.wait_until_closed(10ms));
  }
  EXPECT_TRUE(eventually(5s, [&] { return open() == before; }));
}

TEST(SlowPeers, DribbleAByteAtATime) {
  const auto server = echo_server();
  const SlowPeers slow({.port = server.port(), .peers = 3, .between_bytes = 1ms});
  EXPECT_TRUE(eventually(5s, [&] { return slow.report().bytes_sent >= 300; }));
  EXPECT_EQ(slow.report().closed, 0U);
}

TEST(SlowPeers, SendUntilNobodyTakesIt) {
  const auto server = echo_server();
  const SlowPeers stalled({.port = server.port(), .peers = 1, .manner = Manner::never_read});
  EXPECT_TRUE(eventually(5s, [&] { return stalled.report().bytes_sent >= 200'000; }));
}

TEST(SlowPeers, AskForSoMuchAndNoMore) {
  const auto server = echo_server();
  const SlowPeers stalled({.port = server.port(),
                           .peers = 2,
                           .manner = Manner::never_read,
                           .body_bytes = 1'000,
                           .most_bytes = 5'000});
  EXPECT_TRUE(eventually(5s, [&] { return stalled.report().bytes_sent >= 10'000; }));
  EXPECT_FALSE(stalled.wait_until_closed(10ms));
  EXPECT_LE(stalled.report().bytes_sent, 12'400U) << "the last request may go beyond it";
}

TEST(SlowPeers, SeeThatTheServerHasClosedThem) {
  auto server = echo_server();
  const SlowPeers peers({.port = server.port(), .peers = 5});
  server.kill();
  EXPECT_TRUE(peers.wait_until_closed(5s));
  EXPECT_EQ(peers.report().closed, 5U);
  EXPECT_GT(peers.report().longest_stall, Nanos{});
}

}  // namespace
}  // namespace lab::net
