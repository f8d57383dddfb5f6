#include "net/slow_peers.h"

#include <gtest/gtest.h>

#include "net/http_load.h"
#include "net/server_process.h"

namespace lab::net {
namespace {

using Manner = SlowPeersOptions::Manner;

ServerProcess echo_server() {
  return ServerProcess({.role = "echo", .program = LAB_NET_ROLES});
}

TEST(SlowPeers, ConnectAndGoAsTheyPlease) {
  const auto server = echo_server();
  const auto open = [&] { return server.usage()->open_descriptors; };
  const std::size_t before = open();
  {
    const SlowPeers silent({.port = server.port(), .peers = 20, .manner = Manner::silent});
    EXPECT_EQ(silent.report().connected, 20U);
    for (const Instant limit = now() + 5s; open() < before + 20 && now() < limit;) {
    }
    EXPECT_EQ(open(), before + 20);
    EXPECT_FALSE(silent.wait_until_closed(10ms));
  }
  for (const Instant limit = now() + 5s; open() > before && now() < limit;) {
  }
  EXPECT_EQ(open(), before);
}

TEST(SlowPeers, DribbleAByteAtATime) {
  const auto server = echo_server();
  const SlowPeers slow({.port = server.port(), .peers = 3, .between_bytes = 1ms});
  for (const Instant limit = now() + 5s; slow.report().bytes_sent < 300 && now() < limit;) {
  }
  EXPECT_GE(slow.report().bytes_sent, 300U);
  EXPECT_EQ(slow.report().closed, 0U);
}

TEST(SlowPeers, SendUntilNobodyTakesIt) {
  const auto server = echo_server();
  const SlowPeers stalled({.port = server.port(), .peers = 1, .manner = Manner::never_read});
  for (const Instant limit = now() + 5s; stalled.report().bytes_sent < 200'000 && now() < limit;) {
  }
  EXPECT_GE(stalled.report().bytes_sent, 200'000U);
}

TEST(SlowPeers, AskForSoMuchAndNoMore) {
  const auto server = echo_server();
  const SlowPeers stalled({.port = server.port(),
                           .peers = 2,
                           .manner = Manner::never_read,
                           .body_bytes = 1'000,
                           .most_bytes = 5'000});
  for (const Instant limit = now() + 5s; stalled.report().bytes_sent < 10'000 && now() < limit;) {
  }
  EXPECT_FALSE(stalled.wait_until_closed(10ms));
  EXPECT_GE(stalled.report().bytes_sent, 10'000U);
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
