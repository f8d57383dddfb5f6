#include "net/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace lab::net {
namespace {

using testing::HasSubstr;
using testing::Not;

std::optional<Request> read_one(std::string_view bytes, HttpLimits limits = {}) {
  RequestReader reader(limits);
  reader.feed(bytes);
  return reader.next();
}

TEST(RequestReader, ReadsARequest) {
  const auto request = read_one("GET /products/7?full=1 HTTP/1.1\r\nHost: a\r\nX-Y:  z \r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->target, "/products/7?full=1");
  EXPECT_EQ(request->path(), "/products/7");
  EXPECT_EQ(request->minor, 1);
  EXPECT_TRUE(request->keep_alive);
  ASSERT_NE(request->header("x-y"), nullptr);
  EXPECT_EQ(*request->header("x-y"), "z");
  EXPECT_EQ(request->header("absent"), nullptr);
  EXPECT_EQ(request->body, "");
}

TEST(RequestReader, ReadsBodies) {
  const auto plain = read_one("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->body, "hello");
  EXPECT_EQ(plain->content_length, 5U);
  const auto chunked = read_one(
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "4\r\nwiki\r\n5;name=value\r\npedia\r\n0\r\nX-Trailer: t\r\n\r\n");
  ASSERT_TRUE(chunked);
  EXPECT_EQ(chunked->body, "wikipedia");
  EXPECT_EQ(chunked->content_length, std::nullopt);
  EXPECT_EQ(chunked->header("x-trailer"), nullptr);
}

TEST(RequestReader, SlicesOfAnySizeGiveTheSame) {
  const std::string bytes =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\nwiki\r\na\r\n0123456789\r\n0\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      "PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t slice = 1; slice <= bytes.size(); ++slice) {
    RequestReader reader;
    std::vector<std::string> found;
    for (std::size_t at = 0; at < bytes.size(); at += slice) {
      reader.feed(std::string_view(bytes).substr(at, slice));
      while (const auto request = reader.next()) found.push_back(request->target + request->body);
    }
    EXPECT_THAT(found, testing::ElementsAre("/echowiki0123456789", "/", "/pabc")) << slice;
    EXPECT_TRUE(reader.idle()) << slice;
  }
}

TEST(RequestReader, SaysWhatItWaitsFor) {
  RequestReader reader;
  EXPECT_TRUE(reader.idle());
  reader.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.idle());
  EXPECT_FALSE(reader.waits_for_body());
  reader.feed("\r\n");
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.waits_for_body());
  EXPECT_TRUE(reader.expects_continue());
  EXPECT_FALSE(reader.expects_continue()) << "it is told once";
  reader.feed("ab");
  const auto request = reader.next();
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->expects_continue);
  EXPECT_TRUE(reader.idle());
}

TEST(RequestReader, KeepsAliveAsAsked) {
  EXPECT_FALSE(read_one("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")->keep_alive);
  EXPECT_FALSE(read_one("GET / HTTP/1.0\r\n\r\n")->keep_alive);
  EXPECT_TRUE(read_one("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST(RequestReader, TakesAnAddressForItsPath) {
  EXPECT_EQ(read_one("GET http://a:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n")->target, "/x?y");
  EXPECT_EQ(read_one("GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n")->target, "/");
  EXPECT_EQ(read_one("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")->target, "*");
}

TEST(RequestReader, PassesOverOneEmptyLine) {
  EXPECT_TRUE(read_one("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(read_one("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST(RequestReader, StreamsABodyWithoutHoldingIt) {
  RequestReader reader({.body_bytes = 10'000'000, .stream_body = true});
  reader.feed("PUT /file HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n");
  const auto head = reader.next();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->content_length, 5'000'000U);
  std::size_t got = 0;
  for (int i = 0; i < 500; ++i) {
    EXPECT_FALSE(reader.body_complete());
    reader.feed(std::string(10'000, 'x'));
    EXPECT_FALSE(reader.next());
    got += reader.take_body().size();
  }
  EXPECT_EQ(got, 5'000'000U);
  EXPECT_TRUE(reader.body_complete());
  reader.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(reader.next()->target, "/");
  EXPECT_TRUE(reader.body_complete());
}

TEST(RequestReader, KeepsItsLimits) {
  const auto status = [](const std::string& bytes, HttpLimits limits = {}) {
    RequestReader reader(limits);
    reader.feed(bytes);
    EXPECT_FALSE(reader.next());
    return reader.refused() ? reader.refused()->status : 0;
  };
  EXPECT_EQ(status("GET /" + std::string(9000, 'a')), 414);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'a')), 431);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 120; ++i) many += "A: b\r\n";
  EXPECT_EQ(status(many), 431);
  EXPECT_EQ(status("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n"), 413);
  const std::string chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status(chunked + "fffffff\r\n"), 413);
  EXPECT_EQ(status(chunked + "5;x=" + std::string(9000, 'a')), 431);
  EXPECT_EQ(status(chunked + "0\r\nX: " + std::string(9000, 'a')), 431);
  EXPECT_EQ(status("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", {.body_bytes = 10}),
            413);
}

TEST(ToBytes, WritesAnAnswer) {
  const std::string bytes = to_bytes({.status = 404, .headers = {{"X", "y"}}, .body = "no"});
  EXPECT_TRUE(bytes.starts_with("HTTP/1.1 404 Not Found\r\nX: y\r\nContent-Length: 2\r\nDate: "));
  EXPECT_TRUE(bytes.ends_with(" GMT\r\n\r\nno"));
  EXPECT_THAT(to_bytes({.body = "x", .keep_alive = false}), HasSubstr("\r\nConnection: close\r\n"));
}

TEST(ToBytes, LeavesOutBodiesThatMustNotBe) {
  EXPECT_TRUE(to_bytes({.body = "four", .without_body = true}).ends_with("\r\n\r\n"));
  EXPECT_THAT(to_bytes({.body = "four", .without_body = true}), HasSubstr("Content-Length: 4"));
  EXPECT_THAT(to_bytes({.status = 304, .body = "four"}), Not(HasSubstr("Content-Length")));
  EXPECT_THAT(head_to_bytes({}, 4'294'967'296), HasSubstr("Content-Length: 4294967296\r\n"));
}

TEST(ToBytes, DoesNotLetAHeaderBreakTheHead) {
  for (const char* value : {"a\r\nSet-Cookie: b", "a\nb", "a\rb"})
    EXPECT_THROW(to_bytes({.headers = {{"Location", value}}}), std::invalid_argument);
  EXPECT_THROW(to_bytes({.headers = {{"A:", "b"}}}), std::invalid_argument);
  EXPECT_THROW(to_bytes({.headers = {{"", "b"}}}), std::invalid_argument);
}

}  // namespace
}  // namespace lab::net
