#include <gtest/gtest.h>

#include "net/http.h"

namespace lab::net {
namespace {

TEST(ResponseReader, ReadsWhatToBytesWrites) {
  std::string bytes = to_bytes({.headers = {{"X", "y"}}, .body = "hello"});
  bytes += to_bytes({.status = 304});
  bytes += to_bytes({.status = 404, .body = "no", .keep_alive = false});
  for (std::size_t slice = 1; slice < bytes.size(); slice += 7) {
    ResponseReader reader;
    std::vector<Response> found;
    for (std::size_t at = 0; at < bytes.size(); at += slice) {
      reader.feed(std::string_view(bytes).substr(at, slice));
      while (auto response = reader.next()) found.push_back(std::move(*response));
    }
    ASSERT_EQ(found.size(), 3U) << slice << reader.problem();
    EXPECT_EQ(found[0].body, "hello");
    EXPECT_EQ(*found[0].header("x"), "y");
    EXPECT_EQ(found[1].status, 304);
    EXPECT_TRUE(found[1].keep_alive);
    EXPECT_EQ(found[2].body, "no");
    EXPECT_FALSE(found[2].keep_alive);
    EXPECT_TRUE(reader.idle());
  }
}

TEST(ResponseReader, AnswersOfHeadHaveNoBody) {
  ResponseReader reader;
  reader.expect_no_body();
  reader.feed(to_bytes({.body = "hello", .without_body = true}));
  EXPECT_TRUE(reader.next());
  reader.feed(to_bytes({.body = "hello"}));
  EXPECT_EQ(reader.next()->body, "hello");
}

TEST(ResponseReader, PassesOverContinue) {
  ResponseReader reader;
  reader.feed(kContinue);
  EXPECT_FALSE(reader.next());
  reader.feed(to_bytes({.status = 201, .body = "x"}));
  EXPECT_EQ(reader.next()->status, 201);
}

TEST(ResponseReader, TheEndOfTheStreamEndsABodyWithoutALength) {
  ResponseReader reader;
  reader.feed("HTTP/1.1 200 OK\r\n\r\nall there is");
  EXPECT_FALSE(reader.next());
  reader.end_of_stream();
  const auto response = reader.next();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "all there is");
  EXPECT_FALSE(response->keep_alive);
}

TEST(ResponseReader, ACutAnswerIsNone) {
  for (const bool stream : {false, true}) {
    ResponseReader reader({.stream_body = stream});
    reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    EXPECT_EQ(reader.next().has_value(), stream);
    reader.end_of_stream();
    EXPECT_EQ(reader.take_body(), stream ? "short" : "");
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.problem().empty());
    EXPECT_EQ(reader.body_complete(), !stream);
  }
  ResponseReader reader;
  reader.feed("HTTP/1.1 200 OK\r\nContent-Le");
  EXPECT_FALSE(reader.next());
  reader.end_of_stream();
  EXPECT_FALSE(reader.problem().empty());
}

TEST(ResponseReader, StreamsABody) {
  ResponseReader reader({.body_bytes = 1'000'000, .stream_body = true});
  reader.feed("HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\n\r\n" +
              std::string(400, 'a'));
  EXPECT_EQ(reader.next()->status, 206);
  EXPECT_EQ(reader.content_length(), 1000U);
  EXPECT_EQ(reader.take_body().size(), 400U);
  EXPECT_FALSE(reader.body_complete());
  reader.feed(std::string(600, 'a') + to_bytes({.body = "next"}));
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.take_body().size(), 600U);
  EXPECT_TRUE(reader.body_complete());
  EXPECT_EQ(reader.next()->status, 200);
  EXPECT_EQ(reader.take_body(), "next");
}

TEST(ResponseReader, GarbageIsAProblem) {
  ResponseReader reader;
  reader.feed("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.problem().empty());
}

}  // namespace
}  // namespace lab::net
