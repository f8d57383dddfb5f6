// Damaged requests, from a seed: however they are damaged and cut up, the reader neither crashes nor holds more than it
// may, and how they are cut up does not change what it makes of them.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/random.h"
#include "net/http.h"

namespace lab::net {
namespace {

using namespace std::string_view_literals;

const std::array<std::string, 5> kSeeds{
    "GET /products/7 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: "
    "b\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4;a=\"b\"\r\nwiki\r\n1F\r\n0123456789012345678901234567890\r\n0\r\nT: x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
    "\r\nPUT http://a:80/x?y=%20 HTTP/1.0\r\nContent-Length: 0\r\n\r\n"};

std::string damaged(Random& random) {
  static constexpr std::string_view kInteresting = "\r\n\0 \t:;,=0129fx\"/-+\x7f\xff"sv;
  std::string bytes = kSeeds[random.below(kSeeds.size())];
  for (std::uint64_t change = random.below(6); change > 0; --change) {
    const std::size_t at = random.below(bytes.size());
    const char with = random.chance(0.7) ? kInteresting[random.below(kInteresting.size())]
                                         : static_cast<char>(random.below(256));
    switch (random.below(5)) {
      case 0: bytes[at] = with; break;
      case 1: bytes.insert(at, 1, with); break;
      case 2: bytes.erase(at, 1 + random.below(4)); break;
      case 3: bytes.insert(at, bytes.substr(random.below(bytes.size()), random.below(40))); break;
      default: bytes.insert(at, kSeeds[random.below(kSeeds.size())]); break;
    }
    if (bytes.empty()) bytes = "x";
  }
  return bytes;
}

/// All that came of the bytes, as text.
std::string made_of(const std::string& bytes, Random& random, std::size_t longest, bool stream) {
  RequestReader reader({.head_bytes = 256, .headers = 8, .body_bytes = 64, .stream_body = stream});
  std::string made;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t slice = 1 + random.below(longest);
    reader.feed(std::string_view(bytes).substr(at, slice));
    at += slice;
    while (true) {
      if (stream) made += reader.take_body();
      const auto request = reader.next();
      if (!request) break;
      made += '\n' + request->method + ' ' + request->target + ' ' + request->body;
      EXPECT_LE(request->body.size(), 64U);
    }
  }
  if (stream) made += reader.take_body();
  if (reader.refused()) made += "\nrefused " + std::to_string(reader.refused()->status);
  return made;
}

TEST(Mutation, HowItIsCutUpChangesNothing) {
  const char* const asked = std::getenv("LAB_MUTATIONS");
  const int count = asked ? std::atoi(asked) : 20'000;
  Random random(7);
  std::size_t refused = 0;
  for (int i = 0; i < count; ++i) {
    const std::string bytes = damaged(random);
    const std::string whole = made_of(bytes, random, 1, false);
    ASSERT_EQ(made_of(bytes, random, 4096, false), whole) << i << ":\n" << bytes;
    ASSERT_EQ(made_of(bytes, random, 16, false), whole) << i << ":\n" << bytes;
    (void)made_of(bytes, random, 16, true);
    refused += whole.find("refused") != std::string::npos;
  }
  // Neither all nor nothing: otherwise the damage is too coarse, or does nothing.
  EXPECT_GT(refused, static_cast<std::size_t>(count) / 4);
  EXPECT_LT(refused, static_cast<std::size_t>(count) * 19 / 20);
}

}  // namespace
}  // namespace lab::net
