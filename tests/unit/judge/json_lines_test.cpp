#include "judge/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/random.h"
#include "judge/linearizable.h"
#include "judge/list_append.h"
#include "simulator.h"

namespace lab::judge {
namespace {

using testing::HasSubstr;

const std::string kTransaction =
    R"({"process":1,"invoked":12,"returned":15,"outcome":"ok","operations":[["append","x",1],["read","x",[1]]]})";
const std::string kWrite =
    R"({"process":1,"invoked":12,"returned":15,"outcome":"ok","operation":"write","key":"x","value":1})";

std::string transactions_error(const std::string& text) {
  std::istringstream in(text);
  const auto read = read_transactions(in);
  return read ? "read" : read.error().message;
}
std::string operations_error(const std::string& text, bool with_keys = true) {
  std::istringstream in(text);
  const auto read = read_operations(in, with_keys);
  return read ? "read" : read.error().message;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(JsonLines, ReadsATransaction) {
  std::istringstream in(kTransaction + "\n");
  const auto read = read_transactions(in);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->front().process, 1);
  EXPECT_EQ(read->front().returned, 15);
  EXPECT_EQ(text_of(read->front()), "append x 1, read x → [1]");
}

TEST(JsonLines, TheLastLineNeedsNoEnd) {
  EXPECT_EQ(transactions_error(kTransaction), "read");
  EXPECT_EQ(transactions_error(""), "read");
}

TEST(JsonLines, WhatWasWrittenIsReadBack) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::string text, again;
    for (const auto& it : simulated_lists({.seed = seed})) text += json_line(it) + "\n";
    std::istringstream in(text);
    const auto read = read_transactions(in);
    ASSERT_TRUE(read) << read.error().message;
    for (const auto& it : *read) again += json_line(it) + "\n";
    EXPECT_EQ(again, text);
  }
}

TEST(JsonLines, RegistersAreReadBackToo) {
  for (const int keys : {1, 3}) {
    std::string text, again;
    for (const auto& it : simulated_registers({.seed = 4, .keys = keys}))
      text += json_line(it) + "\n";
    std::istringstream in(text);
    const auto read = read_operations(in, keys > 1);
    ASSERT_TRUE(read) << read.error().message;
    for (const auto& it : *read) again += json_line(it) + "\n";
    EXPECT_EQ(again, text);
  }
}

TEST(JsonLines, ValuesKeepTheirType) {
  const std::string text = replaced(replaced(kWrite, "\"value\":1", "\"value\":\"1\""),
                                    "\"process\":1", "\"process\":2");
  std::istringstream in(kWrite + "\n" + text);
  const auto read = read_operations(in, true);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_NE((*read)[0].value, (*read)[1].value);
  EXPECT_EQ(json_line((*read)[0]), kWrite);
  EXPECT_EQ(json_line((*read)[1]), text);
}

TEST(JsonLines, ErrorsNameTheLineAndWhatIsWrong) {
  const auto& good = kTransaction;
  struct Case {
    std::string line, error;
  };
  for (const auto& [line, error] : std::vector<Case>{
           {"{", "not JSON, from byte"},
           {"", "not JSON"},
           {"[]", "[] is no JSON object"},
           {replaced(good, "\"process\":1,", ""), "lacks the field \"process\""},
           {replaced(good, "process", "proces"), "(it has \"proces\")"},
           {replaced(good, "\"process\":1", "\"process\":1.5"), "should be an integer"},
           {replaced(good, "\"process\":1", "\"process\":18446744073709551615"),
            "should be an integer of 64 bits"},
           {replaced(good, "\"returned\":15,", ""), "which only info may lack"},
           {replaced(good, "15", "11"), "returned at 11, before it was invoked at 12"},
           {replaced(good, "\"ok\"", "\"okay\""), "the outcome is \"okay\""},
           {replaced(good, "}", ",\"retruned\":3}"), "did you mean \"returned\"?"},
           {replaced(good, "}", ",\"process\":3}"), "the field \"process\" stands there twice"},
           {replaced(good, "append", "apend"), "should be append or read"},
           {replaced(good, "[\"append\",\"x\",1]", "[\"append\",\"x\"]"), "an operation is"},
           {replaced(good, "[\"append\",\"x\",1]", "[\"append\",\"x\",\"1\"]"), "an element is"},
           {replaced(good, "[1]]", "1]"), "should be a list or null"},
           {replaced(good, "[1]]", "[[[[[1]]]]]]"), "in one another"},
           {"{\"process\":\"\xff\"}", "not JSON"},
       }) {
    EXPECT_THAT(transactions_error(good + "\n" + line + "\n"), testing::StartsWith("line 2: "))
        << line;
    EXPECT_THAT(transactions_error(good + "\n" + line + "\n"), HasSubstr(error)) << line;
  }
}

TEST(JsonLines, RegisterErrors) {
  EXPECT_THAT(operations_error(kWrite, false), HasSubstr("\"key\""));
  EXPECT_THAT(operations_error(replaced(kWrite, "\"key\":\"x\",", "")),
              HasSubstr("lacks the field \"key\""));
  EXPECT_THAT(operations_error(replaced(kWrite, "write", "incr")),
              HasSubstr("should be read, write, cas or delete"));
  EXPECT_THAT(operations_error(replaced(kWrite, "write", "cas")), HasSubstr("expected"));
  EXPECT_THAT(operations_error(replaced(kWrite, "\"value\":1", "\"value\":1.5")),
              HasSubstr("a value is 1.5"));
  EXPECT_THAT(operations_error(replaced(kWrite, ",\"value\":1", "")), HasSubstr("value"));
  EXPECT_EQ(operations_error(replaced(replaced(kWrite, "write", "delete"), ",\"value\":1", "")),
            "read");
}

TEST(JsonLines, AProcessDoesOneThingAtATime) {
  const std::string later = replaced(kTransaction, "12", "14");
  EXPECT_EQ(transactions_error(
                kTransaction + "\n" +
                replaced(replaced(later, "14", "15"), "\"append\",\"x\",1", "\"append\",\"x\",2")),
            "read");
  EXPECT_EQ(transactions_error(kTransaction + "\n" + later),
            "line 2: process 1 begins this while line 1 is under way");
  const std::string lost =
      replaced(replaced(kTransaction, "\"returned\":15,", ""), "\"ok\"", "\"info\"");
  EXPECT_THAT(transactions_error(
                  lost + "\n" + replaced(kTransaction, "12,\"returned\":15", "30,\"returned\":35")),
              HasSubstr("while line 1 is under way"));
}

TEST(JsonLines, DepthAndLengthAreBounded) {
  EXPECT_THAT(transactions_error(std::string(1'000'000, '[')), HasSubstr("in one another"));
  EXPECT_THAT(transactions_error(std::string(kLongestLine + 1, ' ')), HasSubstr("longer than"));
}

/// Whatever stands in a file: an answer or an error with its line, never a crash.
TEST(JsonLines, MutatedInputIsReadOrRejected) {
  Random random(21);
  const std::string letters = "{}[]\",:0123456789-e.\\ \n\x80\xffokinfappendread";
  int rejected = 0;
  for (int i = 0; i < 5'000; ++i) {
    std::string text = kTransaction + "\n" + kWrite + "\n" + kTransaction;
    for (std::uint64_t edits = 1 + random.below(6); edits > 0; --edits) {
      const std::size_t at = random.below(text.size());
      switch (random.below(4)) {
        case 0: text.erase(at, 1 + random.below(8)); break;
        case 1: text.insert(at, 1, letters[random.below(letters.size())]); break;
        case 2: text[at] = letters[random.below(letters.size())]; break;
        default: text.insert(at, text.substr(random.below(text.size()), random.below(30)));
      }
    }
    for (const bool with_keys : {true, false}) {
      std::istringstream in(text);
      const auto read = read_operations(in, with_keys);
      EXPECT_TRUE(read || read.error().message.starts_with("line "));
      if (read) check_linearizable(*read);
    }
    std::istringstream in(text);
    const auto read = read_transactions(in);
    EXPECT_TRUE(read || read.error().message.starts_with("line "));
    if (read) (void)check_list_append(*read);
    rejected += !read;
  }
  EXPECT_GT(rejected, 1'000);
}

}  // namespace
}  // namespace lab::judge
