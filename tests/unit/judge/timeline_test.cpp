#include "judge/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge/linearizable.h"
#include "judge/list_append.h"

namespace lab::judge {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string page_of(const std::string& key, const std::string& title = "history.jsonl") {
  const std::vector<Transaction> history{
      {1, 10, 20, Outcome::ok, {ListOperation::read(key, List{}), ListOperation::append("y", 1)}},
      {2, 11, 21, Outcome::ok, {ListOperation::read("y", List{}), ListOperation::append(key, 1)}}};
  return timeline_html(history, *check_list_append(history), title);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(Timeline, HasALaneForEachProcessAndNamesTheCyclesEdges) {
  const std::string page = page_of("x");
  EXPECT_THAT(page, HasSubstr("process 1"));
  EXPECT_THAT(page, HasSubstr("process 2"));
  EXPECT_THAT(page, HasSubstr(">rw x</text>"));
  EXPECT_THAT(page, HasSubstr(">rw y</text>"));
  EXPECT_EQ(count(page, "<path class=\"arrow\""), 2U);
  EXPECT_THAT(page, HasSubstr("G2-item"));
}

TEST(Timeline, WhatStandsInAHistoryIsTextOnly) {
  const std::string page =
      page_of("<script>alert('1')</script>\"onload=\"x", "</title><script src=x>&\n");
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("\"onload")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;onload"));
  EXPECT_EQ(count(page, "</title>\n</head>"), 1U);
}

TEST(Timeline, NeedsNothingFromElsewhere) {
  const std::string page = page_of("x");
  for (const char* outside : {"http:", "https:", "src=", "href=", "@import"})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme: dark"));
}

KeyOperation operation(KeyOperation::Kind kind, std::int64_t invoked, const char* value) {
  KeyOperation made;
  made.process = invoked % 3;
  made.invoked = invoked;
  made.returned = invoked + 1;
  made.kind = kind;
  made.value = value;
  return made;
}

TEST(Timeline, MarksTheOperationThatHasNoPlace) {
  using Kind = KeyOperation::Kind;
  const std::vector<KeyOperation> history{operation(Kind::write, 1, "a<b"),
                                          operation(Kind::write, 3, "c"),
                                          operation(Kind::read, 5, "a<b")};
  const std::string page = timeline_html(history, check_linearizable(history), "r");
  EXPECT_THAT(page, HasSubstr("1. write a&lt;b"));
  EXPECT_THAT(page, HasSubstr("2. write c"));
  EXPECT_THAT(page, HasSubstr("no place: read a&lt;b"));
  EXPECT_EQ(count(page, "bar stuck"), 1U);
}

TEST(Timeline, AHistoryThatHoldsSaysSo) {
  const std::vector<Transaction> history{{1, 1, 2, Outcome::ok, {ListOperation::append("x", 1)}}};
  EXPECT_THAT(timeline_html(history, *check_list_append(history), "h"),
              HasSubstr("<h1>h: holds</h1>"));
}

}  // namespace
}  // namespace lab::judge
