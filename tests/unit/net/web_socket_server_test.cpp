// The server against clients that keep to RFC 6455, and against some that do not: what each gets, byte for byte.

#include "net/web_socket_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "net/loopback.h"
#include "net/web_socket_client.h"

namespace lab::net {
namespace {

class Echo : public WebSocketHandler {
 public:
  int on_request(std::string_view target) override { return target == "/ws-echo" ? 101 : 404; }
  void on_open(WebSocketPeer& peer) override {
    ++opened;
    last = &peer;
  }
  void on_message(WebSocketPeer& peer, const Message& message) override {
    peer.queue(std::make_shared<std::string>(to_frame(message.opcode, message.payload)));
    most_waiting = std::max(most_waiting, peer.waiting_bytes());
  }
  void on_close(WebSocketPeer&, std::uint16_t code) override { closed.push_back(code); }

  int opened = 0;
  WebSocketPeer* last = nullptr;
  std::size_t most_waiting = 0;
  std::vector<std::uint16_t> closed;
};

class Script : public WebSocketClient::Listener {
 public:
  void on_open(WebSocketClient& client) override {
    open = true;
    if (!says.empty()) client.send_raw(says);
  }
  void on_message(WebSocketClient&, const Message& message) override {
    messages.emplace_back(message.opcode, message.payload);
  }
  void on_closed(WebSocketClient&, std::uint16_t code, std::string_view reason) override {
    closed = code;
    why = reason;
  }

  std::string says;
  bool open = false;
  std::vector<std::pair<Opcode, std::string>> messages;
  int closed = 0;
  std::string why;
};

/// Server and clients on one loop, so that a test is one thread and needs no waiting.
class WebSocketServerTest : public ::testing::Test {
 protected:
  template <class Condition>
  bool until(const Condition& condition) {
    for (const Instant limit = now() + 10s; now() < limit && !condition();) loop_.turn(10ms);
    return condition();
  }

  std::unique_ptr<WebSocketClient> connect(Script& script, std::string target = "/ws-echo") {
    return std::make_unique<WebSocketClient>(
        commons_, ClientOptions{.port = server_.port(), .target = std::move(target)}, script);
  }

  /// The close code that somebody gets who sends this.
  int after(std::string bytes) {
    Script script;
    script.says = std::move(bytes);
    const auto client = connect(script);
    EXPECT_TRUE(until([&] { return script.closed != 0; }));
    return script.closed;
  }

  EventLoop loop_;
  Echo echo_;
  WebSocketServer server_{loop_, echo_, {.message_bytes = 64 * 1024, .farewell = 200ms}};
  ClientCommons commons_{loop_};
};

std::string from_client(Opcode opcode, std::string_view payload) {
  std::string frame;
  append_frame(frame, opcode, payload, 0x01020304);
  return frame;
}

TEST_F(WebSocketServerTest, EchoesAndAnswersPings) {
  Script script;
  script.says = from_client(Opcode::text, "gr\xc3\xbc\xc3\x9f") + from_client(Opcode::ping, "p") +
                from_client(Opcode::binary, std::string(64 * 1024, '\0'));
  const auto client = connect(script);
  ASSERT_TRUE(until([&] { return script.messages.size() == 3; }));
  EXPECT_EQ(script.messages[0], (std::pair{Opcode::text, std::string("gr\xc3\xbc\xc3\x9f")}));
  EXPECT_EQ(script.messages[1], (std::pair{Opcode::pong, std::string("p")}));
  EXPECT_EQ(script.messages[2].second.size(), 64u * 1024);
  client->close(1001);
  ASSERT_TRUE(until([&] { return script.closed != 0; }));
  EXPECT_EQ(script.closed, 1001);
  EXPECT_EQ(echo_.closed, std::vector<std::uint16_t>{1001});
  EXPECT_EQ(server_.connections(), 0u);
}

TEST_F(WebSocketServerTest, EachViolationGetsItsCloseCode) {
  EXPECT_EQ(after(to_frame(Opcode::text, "unmasked")), 1002);
  EXPECT_EQ(after("\xc1" + from_client(Opcode::text, "rsv1").substr(1)), 1002);
  EXPECT_EQ(after("\x83" + from_client(Opcode::text, "opcode 3").substr(1)), 1002);
  EXPECT_EQ(after("\x09" + from_client(Opcode::ping, "in fragments").substr(1)), 1002);
  EXPECT_EQ(after(from_client(Opcode::ping, std::string(126, 'x'))), 1002);
  EXPECT_EQ(after("\x80" + from_client(Opcode::text, "continues nothing").substr(1)), 1002);
  EXPECT_EQ(after(from_client(Opcode::close, close_payload(1005, ""))), 1002);
  EXPECT_EQ(after(from_client(Opcode::close, "x")), 1002);
  EXPECT_EQ(after(from_client(Opcode::text, "\xff\xfe")), 1007);
  EXPECT_EQ(after(from_client(Opcode::close, close_payload(1000, "\xc0\x80"))), 1007);
  EXPECT_EQ(after(from_client(Opcode::binary, std::string(64 * 1024 + 1, 'x'))), 1009);
  EXPECT_EQ(after(from_client(Opcode::binary, std::string(5'000'000, 'x'))), 1009);
  EXPECT_TRUE(until([&] { return echo_.closed.size() == 12; }));
  EXPECT_EQ(echo_.closed, (std::vector<std::uint16_t>{1002, 1002, 1002, 1002, 1002, 1002, 1002,
                                                      1002, 1007, 1007, 1009, 1009}));
}

TEST_F(WebSocketServerTest, ACloseIsAnsweredWithItsCode) {
  EXPECT_EQ(after(from_client(Opcode::close, close_payload(1000, "bye"))), 1000);
  EXPECT_EQ(after(from_client(Opcode::close, close_payload(4321, ""))), 4321);
  EXPECT_EQ(after(from_client(Opcode::close, "")), close_code::no_status);
}

TEST_F(WebSocketServerTest, WhatIsNotThereIsRefused) {
  Script script;
  const auto client = connect(script, "/elsewhere");
  ASSERT_TRUE(until([&] { return script.closed != 0; }));
  EXPECT_EQ(script.closed, 1006);
  EXPECT_THAT(script.why, ::testing::HasSubstr("404"));
  EXPECT_FALSE(script.open);
  EXPECT_TRUE(until([&] { return server_.connections() == 0; }));
}

TEST_F(WebSocketServerTest, WhoDoesNotReadGetsEverythingLater) {
  Script script;
  const auto client = connect(script);
  ASSERT_TRUE(until([&] { return script.open; }));
  const std::string message = from_client(Opcode::binary, std::string(60'000, 'x'));
  for (int i = 0; i < 300; ++i) client->send_raw(message);
  ASSERT_TRUE(until([&] { return script.messages.size() == 300; }));
}

/// The reader is a thread of its own, or nobody would ever read.
TEST_F(WebSocketServerTest, ABlockingWriteReturnsWhenAllHasBeenTaken) {
  const int reader = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect_to_loopback(reader, server_.port()), 0);
  const std::string request =
      "GET /ws-echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  ASSERT_EQ(::send(reader, request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  ASSERT_TRUE(until([&] { return echo_.last != nullptr; }));
  constexpr std::size_t kMuch = 32 * 1024 * 1024;  // more than the kernel's buffers
  std::size_t got = 0;
  std::jthread reads([&] {
    std::vector<char> buffer(256 * 1024);
    for (ssize_t more = 0; (more = ::recv(reader, buffer.data(), buffer.size(), 0)) > 0;)
      got += static_cast<std::size_t>(more);
  });
  echo_.last->write_blocking(std::string(kMuch, 'x'));
  EXPECT_EQ(echo_.last->waiting_bytes(), 0u);
  echo_.last->close(1000, "");
  ASSERT_TRUE(until([&] { return server_.connections() == 0; }));  // it does not answer the close
  reads.join();
  EXPECT_GT(got, kMuch);
  ::close(reader);
}

TEST_F(WebSocketServerTest, PongsThatNobodyReadsEndTheConnection) {
  Script script;
  const auto client = connect(script);
  ASSERT_TRUE(until([&] { return script.open; }));
  client->read(false);
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += from_client(Opcode::ping, std::string(125, 'x'));
  for (int i = 0; i < 200 && echo_.closed.empty(); ++i) {
    client->send_raw(pings);
    loop_.turn(1ms);
  }
  ASSERT_TRUE(until([&] { return !echo_.closed.empty(); }));
  EXPECT_EQ(echo_.closed.front(), 1008);
}

TEST_F(WebSocketServerTest, OneThatSaysGoodbyeAndNeverReadsIsNotKept) {
  Script script;
  const auto client = connect(script);
  ASSERT_TRUE(until([&] { return script.open; }));
  client->read(false);
  const std::string message = from_client(Opcode::binary, std::string(60'000, 'x'));
  for (int i = 0; i < 300; ++i) client->send_raw(message);
  client->send_raw(from_client(Opcode::close, close_payload(1001, "")));
  ASSERT_TRUE(until([&] { return !echo_.closed.empty(); }));
  EXPECT_EQ(echo_.closed.front(), 1001);
  EXPECT_GT(echo_.most_waiting, 1'000'000u) << "it was owed nothing: the test is of no use";
  EXPECT_EQ(server_.connections(), 0u);
}

TEST_F(WebSocketServerTest, AResetIsNoticed) {
  Script script;
  auto client = connect(script);
  ASSERT_TRUE(until([&] { return script.open; }));
  client->reset();
  ASSERT_TRUE(until([&] { return !echo_.closed.empty(); }));
  EXPECT_EQ(echo_.closed.front(), 1006);
}

TEST_F(WebSocketServerTest, OneThatSaysNothingIsNotWaitedForForEver) {
  EventLoop loop;
  Echo echo;
  WebSocketServer server(loop, echo, {.handshake = 20ms});
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect_to_loopback(silent, server.port()), 0);
  for (const Instant limit = now() + 5s; now() < limit && server.connections() == 0;)
    loop.turn(1ms);
  for (const Instant limit = now() + 5s; now() < limit && server.connections() > 0;) loop.turn(1ms);
  EXPECT_EQ(server.connections(), 0u);
  ::close(silent);
}

TEST_F(WebSocketServerTest, ServesUntilItIsStopped) {
  EventLoop serving;
  Echo echo;
  WebSocketServer server(serving, echo);
  std::jthread thread([&] { serving.run(); });
  Script script;
  script.says = from_client(Opcode::text, "across threads");
  WebSocketClient client(commons_, {.port = server.port(), .target = "/ws-echo"}, script);
  EXPECT_TRUE(until([&] { return script.messages.size() == 1; }));
  serving.stop();
}

}  // namespace
}  // namespace lab::net
