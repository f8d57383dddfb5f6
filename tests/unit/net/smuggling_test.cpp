// What one server reads as one request and another as two: each of these is refused, and says with which status. The list
// follows RFC 9112 (11.2) and the variations that Linhart et al. (2005) and Kettle (2019) describe.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "net/http.h"

namespace lab::net {
namespace {

using namespace std::string_literals;

struct Bad {
  const char* name;
  std::string bytes;
  int status = 400;
};

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string chunked(const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

class Smuggling : public testing::TestWithParam<Bad> {};

TEST_P(Smuggling, IsRefused) {
  const Bad& bad = GetParam();
  // In one piece and byte by byte: how it comes must not change what it is.
  for (const std::size_t slice : {bad.bytes.size(), std::size_t{1}}) {
    RequestReader reader;
    std::size_t requests = 0;
    for (std::size_t at = 0; at < bad.bytes.size(); at += slice) {
      reader.feed(std::string_view(bad.bytes).substr(at, slice));
      while (reader.next()) ++requests;
    }
    EXPECT_EQ(requests, 0U);
    ASSERT_TRUE(reader.refused()) << "slices of " << slice;
    EXPECT_EQ(reader.refused()->status, bad.status) << reader.refused()->why;
    EXPECT_FALSE(reader.refused()->response().keep_alive);
    reader.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_FALSE(reader.next()) << "after a refusal nothing is believed any more";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Framing, Smuggling,
    testing::Values(
        Bad{"LengthAndChunked", get("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")},
        Bad{"ChunkedAndLength", get("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")},
        Bad{"TwoLengths", get("Content-Length: 4\r\nContent-Length: 5\r\n")},
        Bad{"TwoEqualLengths", get("Content-Length: 4\r\nContent-Length: 4\r\n")},
        Bad{"LengthList", get("Content-Length: 4, 4\r\n")},
        Bad{"LengthPlus", get("Content-Length: +4\r\n")},
        Bad{"LengthMinus", get("Content-Length: -4\r\n")},
        Bad{"LengthHex", get("Content-Length: 0x4\r\n")},
        Bad{"LengthFloat", get("Content-Length: 4.0\r\n")},
        Bad{"LengthEmpty", get("Content-Length:\r\n")},
        Bad{"LengthSpaced", get("Content-Length: 1 2\r\n")},
        Bad{"LengthOverflow", get("Content-Length: 18446744073709551620\r\n")},
        Bad{"TwoCodings", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        Bad{"CodingNotLast", get("Transfer-Encoding: chunked, gzip\r\n")},
        Bad{"CodingIdentity", get("Transfer-Encoding: identity\r\n")},
        Bad{"CodingQuoted", get("Transfer-Encoding: \"chunked\"\r\n")},
        Bad{"CodingXchunked", get("Transfer-Encoding: xchunked\r\n")},
        Bad{"CodingChunkedParameter", get("Transfer-Encoding: chunked;q=1\r\n")},
        Bad{"CodingVerticalTab", get("Transfer-Encoding: \x0b"s + "chunked\r\n")},
        Bad{"CodingUnknownFirst", get("Transfer-Encoding: gzip, chunked\r\n"), 501},
        Bad{"CodingInHttp10",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Bad{"SpaceBeforeColon", get("Transfer-Encoding : chunked\r\n")},
        Bad{"TabBeforeColon", get("Content-Length\t: 4\r\n")},
        Bad{"ObsFold", get("Transfer-Encoding:\r\n chunked\r\n")},
        Bad{"ObsFoldTab", get("X: a\r\n\tb\r\n")},
        Bad{"FirstFieldFolded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Characters, Smuggling,
    testing::Values(Bad{"BareLf", "GET / HTTP/1.1\nHost: a\n\n"},
                    Bad{"BareLfInHeader", "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n"},
                    Bad{"BareCrInHeader", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n"},
                    Bad{"CrCrLf", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
                    Bad{"NulInValue", get("X: a\0b\r\n"s)}, Bad{"NulInName", get("X\0: b\r\n"s)},
                    Bad{"NulInTarget", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s},
                    Bad{"DeleteInValue", get("X: \x7f\r\n")}, Bad{"NoColon", get("nonsense\r\n")},
                    Bad{"EmptyName", get(": x\r\n")}, Bad{"NameWithSlash", get("a/b: c\r\n")},
                    Bad{"NameWithUmlaut", get("n\xc3\xa4me: c\r\n")}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    RequestLines, Smuggling,
    testing::Values(Bad{"NoHost", "GET / HTTP/1.1\r\n\r\n"}, Bad{"TwoHosts", get("Host: b\r\n")},
                    Bad{"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
                    Bad{"HostWithAt", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
                    Bad{"HostWithSpace", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
                    Bad{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"TabInLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"SpaceAtEnd", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
                    Bad{"LeadingSpace", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"NoVersion", "GET /\r\nHost: a\r\n\r\n"},
                    Bad{"LowerVersion", "GET / http/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"Http2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
                    Bad{"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
                    Bad{"LongVersion", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
                    Bad{"NoPath", "GET index.html HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"EmptyAuthority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"OtherScheme", "GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"Credentials", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"Fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"RawUmlaut", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"StarOfGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
                    Bad{"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
                    Bad{"Expectation", get("Expect: 200-ok\r\n"), 417},
                    Bad{"Tls", "\x16\x03\x01\x02\x00\x01\n"s}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Chunks, Smuggling,
    testing::Values(Bad{"NotHex", chunked("x\r\nabc\r\n0\r\n\r\n")},
                    Bad{"Minus", chunked("-1\r\nabc\r\n0\r\n\r\n")},
                    Bad{"Plus", chunked("+3\r\nabc\r\n0\r\n\r\n")},
                    Bad{"HexPrefix", chunked("0x3\r\nabc\r\n0\r\n\r\n")},
                    Bad{"EmptySize", chunked("\r\nabc\r\n0\r\n\r\n")},
                    Bad{"LeadingSpace", chunked(" 3\r\nabc\r\n0\r\n\r\n")},
                    Bad{"Overflow", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 413},
                    Bad{"TooLong", chunked("3\r\nabcd\r\n0\r\n\r\n")},
                    Bad{"TooShort", chunked("4\r\nabc\r\n0\r\n\r\n")},
                    Bad{"BareLf", chunked("3\nabc\r\n0\r\n\r\n")},
                    Bad{"BareLfAfterData", chunked("3\r\nabc\n0\r\n\r\n")},
                    Bad{"BareCr", chunked("3\rabc\r\n0\r\n\r\n")},
                    Bad{"LfInExtension", chunked("3;a\n=b\r\nabc\r\n0\r\n\r\n")},
                    Bad{"BareExtension", chunked("3 x\r\nabc\r\n0\r\n\r\n")},
                    Bad{"QuoteOverTheLine", chunked("3;a=\"\r\nabc\r\n0\r\n\"\r\n")},
                    Bad{"HostInTrailer", chunked("0\r\nHost: b\r\n\r\n")},
                    Bad{"FoldedTrailer", chunked("0\r\nA: b\r\n c\r\n\r\n")},
                    Bad{"LengthInTrailer", chunked("0\r\nContent-Length: 5\r\n\r\n")}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace lab::net
