#include "net/web_socket_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "net/web_socket_handshake.h"

namespace lab::net {
namespace {

using ::testing::HasSubstr;

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

struct Read {
  std::vector<std::pair<Opcode, std::string>> messages;
  std::uint16_t violated = 0;
};

Read read(Reads side, std::string input, std::size_t slice, std::size_t limit = 1024) {
  FrameReader reader(side, limit);
  Read read;
  for (std::size_t at = 0; at < input.size() && !read.violated; at += slice) {
    const std::size_t size = std::min(slice, input.size() - at);
    const auto violation = reader.feed(std::span(input).subspan(at, size), [&](const Message& m) {
      read.messages.emplace_back(m.opcode, m.payload);
      return true;
    });
    if (violation) read.violated = violation->close_code;
  }
  return read;
}

std::string masked(Opcode opcode, std::string_view payload) {
  std::string frame;
  append_frame(frame, opcode, payload, 0x37fa213d);
  return frame;
}

std::uint16_t server_refuses(const std::string& input, std::size_t limit = 1024) {
  const auto whole = read(Reads::as_server, input, input.size(), limit).violated;
  EXPECT_EQ(whole, read(Reads::as_server, input, 1, limit).violated) << "byte by byte";
  return whole;
}

/// A masked frame with these first two bytes; the mask is zero.
std::string frame(int first, int length, std::string_view payload = "") {
  return bytes({first, 0x80 | length, 0, 0, 0, 0}) + std::string(payload);
}

TEST(WebSocketFrames, TheExamplesOfTheRfc) {  // RFC 6455, 5.7
  const std::string hello = bytes({0x81, 0x05}) + "Hello";
  EXPECT_EQ(to_frame(Opcode::text, "Hello"), hello);
  using Messages = std::vector<std::pair<Opcode, std::string>>;
  EXPECT_EQ(read(Reads::as_client, hello, 7).messages, (Messages{{Opcode::text, "Hello"}}));
  const std::string masked_hello =
      bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58});
  EXPECT_EQ(read(Reads::as_server, masked_hello, 11).messages, (Messages{{Opcode::text, "Hello"}}));
  const std::string fragments =
      bytes({0x01, 0x03}) + "Hel" + bytes({0x89, 0x00}) + bytes({0x80, 0x02}) + "lo";
  EXPECT_EQ(read(Reads::as_client, fragments, 100).messages,
            (Messages{{Opcode::ping, ""}, {Opcode::text, "Hello"}}));
  EXPECT_EQ(to_frame(Opcode::binary, std::string(256, 'x')).substr(0, 4),
            bytes({0x82, 0x7e, 0x01, 0x00}));
  EXPECT_EQ(to_frame(Opcode::binary, std::string(65536, 'x')).substr(0, 10),
            bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST(WebSocketFrames, AnySlicingGivesTheSameMessages) {
  Random random(11);
  std::string input;
  std::vector<std::pair<Opcode, std::string>> sent;
  for (int i = 0; i < 60; ++i) {
    const std::string payload(random.below(i % 7 == 0 ? 70'000 : 200),
                              static_cast<char>('a' + i % 26));
    sent.emplace_back(i % 2 ? Opcode::text : Opcode::binary, payload);
    append_frame(input, sent.back().first, payload, static_cast<std::uint32_t>(random()));
  }
  for (const std::size_t slice : {1, 2, 13, 1000, 65536, 1 << 24})
    EXPECT_EQ(read(Reads::as_server, input, slice, 100'000).messages, sent) << slice;
}

TEST(WebSocketFrames, AnIdleReaderHoldsNothing) {
  std::string half = masked(Opcode::text, std::string(5000, 'x'));
  FrameReader reader(Reads::as_server, 10'000);
  const auto ignore = [](const Message&) { return true; };
  ASSERT_FALSE(reader.feed(std::span(half).first(3000), ignore));
  EXPECT_EQ(reader.held_bytes(), 3000u);
  ASSERT_FALSE(reader.feed(std::span(half).subspan(3000), ignore));
  EXPECT_EQ(reader.held_bytes(), 0u);

  std::string pieces = frame(0x01, 120, std::string(120, 'x')) + frame(0x80, 3, "end");
  std::size_t held = 0;
  const auto look = [&](const Message&) {
    held = reader.held_bytes();
    return true;
  };
  ASSERT_FALSE(reader.feed(pieces, look));
  EXPECT_EQ(held, 123u) << "a message in pieces is put together once, and is held while it is read";
  EXPECT_EQ(reader.held_bytes(), 0u);
}

TEST(WebSocketFrames, WhatTheProtocolForbidsIs1002) {
  EXPECT_EQ(server_refuses(to_frame(Opcode::text, "no mask")), 1002);
  EXPECT_EQ(read(Reads::as_client, masked(Opcode::text, "x"), 100).violated, 1002);
  for (const int reserved : {0x40, 0x20, 0x10})
    EXPECT_EQ(server_refuses(frame(0x81 | reserved, 0)), 1002);
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
    EXPECT_EQ(server_refuses(frame(0x80 | opcode, 0)), 1002) << opcode;
  for (const int control : {8, 9, 10}) {
    EXPECT_EQ(server_refuses(frame(control, 0)), 1002) << "a control frame in fragments";
    EXPECT_EQ(server_refuses(masked(static_cast<Opcode>(control), std::string(126, 'x'))), 1002);
  }
  EXPECT_EQ(server_refuses(frame(0x80, 0)), 1002) << "a continuation of nothing";
  EXPECT_EQ(server_refuses(frame(0x01, 1, "a") + frame(0x81, 1, "b")), 1002);
  EXPECT_EQ(server_refuses(bytes({0x82, 0xfe, 0, 125})), 1002) << "16 bits where 7 would do";
  EXPECT_EQ(server_refuses(bytes({0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff})), 1002);
  EXPECT_EQ(server_refuses(bytes({0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0})), 1002);
}

TEST(WebSocketFrames, CloseFrames) {
  EXPECT_EQ(server_refuses(masked(Opcode::close, "x")), 1002);
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535})
    EXPECT_EQ(
        server_refuses(masked(Opcode::close, close_payload(static_cast<std::uint16_t>(code), ""))),
        1002)
        << code;
  EXPECT_EQ(server_refuses(masked(Opcode::close, close_payload(1000, "\xff"))), 1007);
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999})
    EXPECT_EQ(server_refuses(
                  masked(Opcode::close, close_payload(static_cast<std::uint16_t>(code), "bye"))),
              0)
        << code;
  EXPECT_EQ(close_reason("").code, 1005);
  EXPECT_EQ(close_reason(close_payload(1001, "gone")).text, "gone");
  EXPECT_EQ(close_payload(1000, std::string(300, 'x')).size(), 125u);
}

TEST(WebSocketFrames, TextThatIsNoUtf8Is1007) {
  const std::vector<std::string> bad{"\xc0\x80",
                                     "\xc1\xbf",
                                     "\xe0\x9f\xbf",
                                     "\xed\xa0\x80",
                                     "\xf0\x8f\xbf\xbf",
                                     "\xf4\x90\x80\x80",
                                     "\xf5\x80\x80\x80",
                                     "\x80",
                                     "abcdefgh\xff",
                                     "\xe2\x82",
                                     "\xc3("};
  for (const auto& text : bad) EXPECT_EQ(server_refuses(masked(Opcode::text, text)), 1007) << text;
  const std::vector<std::string> good{"\xc2\x80",
                                      "\xe0\xa0\x80",
                                      "\xed\x9f\xbf",
                                      "\xee\x80\x80",
                                      "\xf0\x90\x80\x80",
                                      "\xf4\x8f\xbf\xbf",
                                      "\xe2\x82\xac 5, \xf0\x9f\x8e\xb5",
                                      ""};
  for (const auto& text : good) EXPECT_EQ(server_refuses(masked(Opcode::text, text)), 0) << text;
  EXPECT_EQ(server_refuses(masked(Opcode::binary, "\xff")), 0);
  // A character may be cut by a fragment's end; a wrong one shows in its own fragment already.
  EXPECT_EQ(
      server_refuses(frame(0x01, 1, "\xe2") + frame(0x00, 1, "\x82") + frame(0x80, 1, "\xac")), 0);
  EXPECT_EQ(server_refuses(frame(0x01, 2, "\xe2(")), 1007);
}

TEST(WebSocketFrames, AMessageAboveTheLimitIs1009BeforeItHasCome) {
  EXPECT_EQ(server_refuses(masked(Opcode::binary, std::string(1024, 'x'))), 0);
  EXPECT_EQ(server_refuses(masked(Opcode::binary, std::string(1025, 'x')).substr(0, 4)), 1009);
  EXPECT_EQ(server_refuses(bytes({0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})),
            1009);
  std::string fragments;
  for (int i = 0; i < 9; ++i) fragments += frame(i == 0 ? 0x02 : 0x00, 120, std::string(120, 'x'));
  EXPECT_EQ(server_refuses(fragments), 1009);
}

TEST(WebSocketHandshake, TheKeyOfTheRfc) {
  const std::string ask = ask_upgrade("localhost", "/rooms/1", "dGhlIHNhbXBsZSBub25jZQ==");
  const auto upgrade = read_upgrade(ask + "more");
  ASSERT_TRUE(upgrade);
  EXPECT_EQ(upgrade->status, 101) << upgrade->why;
  EXPECT_EQ(upgrade->size, ask.size());
  EXPECT_EQ(upgrade->target, "/rooms/1");
  const std::string answer = accept_upgrade(upgrade->key);
  EXPECT_THAT(answer, HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  EXPECT_EQ(read_upgrade_answer(answer + "x", upgrade->key).value(), answer.size());
  EXPECT_FALSE(read_upgrade_answer(answer.substr(0, 40), upgrade->key).value());
  EXPECT_EQ(read_upgrade_answer(answer, new_key()).error().code, ErrorCode::protocol);
  EXPECT_EQ(read_upgrade_answer("HTTP/1.1 404 Not Found\r\n\r\n", new_key()).error().code,
            ErrorCode::refused);
}

TEST(WebSocketHandshake, WhatIsNoUpgradeIsRefused) {
  const std::string good = ask_upgrade("localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==");
  const auto without = [&](const std::string& what, const std::string& instead) {
    std::string request = good;
    const auto at = request.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    request.replace(at, what.size(), instead);
    const auto upgrade = read_upgrade(request);
    return upgrade ? upgrade->status : 0;
  };
  EXPECT_EQ(without("Version: 13", "Version: 13"), 101);
  EXPECT_EQ(without("Connection: Upgrade", "Connection: keep-alive, upgrade"), 101);
  EXPECT_EQ(without("GET", "POST"), 405);
  EXPECT_EQ(without("Version: 13", "Version: 8"), 426);
  EXPECT_EQ(without("Upgrade: websocket\r\n", ""), 426);
  EXPECT_EQ(without("Connection: Upgrade\r\n", ""), 426);
  EXPECT_EQ(without("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400);
  EXPECT_EQ(without("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"), 400);
  EXPECT_EQ(without("Host: localhost\r\n", ""), 400);
  EXPECT_EQ(without("HTTP/1.1", "HTTP/1.0"), 400);
  EXPECT_EQ(without("Host:", "Host :"), 400);
  EXPECT_EQ(without("Version: 13", "Version: 13\r\nContent-Length: 5"), 413);
  EXPECT_EQ(without("GET /", "GET /" + std::string(9000, 'x')), 414);
  EXPECT_FALSE(read_upgrade("GET / HT"));
  EXPECT_EQ(read_upgrade("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'))->status, 431);
}

TEST(WebSocketHandshake, Urls) {
  EXPECT_EQ(parse_web_socket_url("ws://127.0.0.1:9001/chat?x=1").value().target, "/chat?x=1");
  EXPECT_EQ(parse_web_socket_url("ws://127.0.0.1:9001").value().port, 9001);
  EXPECT_EQ(parse_web_socket_url("ws://h/").value().port, 80);
  for (const char* bad :
       {"", "wss://h/", "http://h/", "ws://", "ws://h:0/", "ws://h:x/", "ws://:5/"})
    EXPECT_FALSE(parse_web_socket_url(bad)) << bad;
}

}  // namespace
}  // namespace lab::net
