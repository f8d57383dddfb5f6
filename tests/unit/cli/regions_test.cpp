#include "cli/regions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace lab::cli {
namespace {

using testing::HasSubstr;

std::string block(std::string_view source, std::string_view from) {
  const auto found = source_block(source, from);
  return found ? *found : "error: " + found.error().message;
}

TEST(SourceBlock, GoesToWhereTheBracesBalance) {
  constexpr auto kSource = R"(int before();

class Reader {
 public:
  int read() { return 1; }
};

int after();
)";
  EXPECT_EQ(block(kSource, "class Reader"),
            "class Reader {\n public:\n  int read() { return 1; }\n};\n");
}

TEST(SourceBlock, OfADeclarationEndsAtItsSemicolon) {
  EXPECT_EQ(block("int one(int a,\n        int b);\nint two();\n", "one("),
            "int one(int a,\n        int b);\n");
}

TEST(SourceBlock, MayBeginInAComment) {
  EXPECT_EQ(
      block("// Doubles: see {1}.\nint twice(int x) {\n  return 2 * x;\n}\nint y;\n", "// Doubles"),
      "// Doubles: see {1}.\nint twice(int x) {\n  return 2 * x;\n}\n");
}

TEST(SourceBlock, LosesTheIndentationThatItsLinesShare) {
  EXPECT_EQ(block("struct A {\n  int f() {\n\n    return 1;\n  }\n};\n", "int f"),
            "int f() {\n\n  return 1;\n}\n");
}

TEST(SourceBlock, IsNotFooledByBracesInCommentsAndLiterals) {
  constexpr auto kSource = R"outer(void f() {
  // }
  /* } */
  g("}\"}", '}', R"x(})")x", 1'000'000);
}
int next;
)outer";
  const std::string found = block(kSource, "void f");
  EXPECT_THAT(found, HasSubstr("1'000'000);\n}\n"));
  EXPECT_THAT(found, testing::Not(HasSubstr("next")));
}

TEST(SourceBlock, GoesOnAfterAConstructorsInitialisers) {
  EXPECT_EQ(block("A::A()\n    : x_{1}, y_{2} {\n  f();\n}\nint next;\n", "A::A"),
            "A::A()\n    : x_{1}, y_{2} {\n  f();\n}\n");
}

TEST(SourceBlock, GoesOnToTheEndOfACallWithALambda) {
  EXPECT_EQ(block("x = run([] {\n  f();\n}, 3);\nint next;\n", "x = run"),
            "x = run([] {\n  f();\n}, 3);\n");
}

TEST(SourceBlock, ThatIsNotThereOrNeverEndsIsAnError) {
  EXPECT_THAT(block("int x;\n", "class Y"), HasSubstr("no line with \"class Y\""));
  EXPECT_THAT(block("void f() {\n", "void f"), HasSubstr("never balance"));
  EXPECT_THAT(block("int x;\n", ""), HasSubstr("error"));
}

class Refreshing : public testing::Test {
 protected:
  Result<Document> renewed(std::string_view document) {
    return refresh(document, "docs/page.md",
                   [this](const std::string& path) -> Result<std::string> {
                     const auto found = files_.find(path);
                     if (found == files_.end())
                       return Error{ErrorCode::not_found, Happened::no, "cannot read " + path};
                     return found->second;
                   });
  }

  std::map<std::string, std::string> files_{{"a.h", "int a() {\n  return 1;\n}\nint b();\n"}};
};

TEST_F(Refreshing, ATextIsShownAsText) {
  files_["cpu.profile.txt"] = "Total: 3 samples\n";
  const auto document = renewed("<!-- code: cpu.profile.txt -->\n<!-- /code -->\n");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_THAT(document->text, HasSubstr("```text\nTotal: 3 samples\n```\n"));
}

TEST_F(Refreshing, PutsTheSourceBetweenTheMarks) {
  const auto document =
      renewed("before\n<!-- code: a.h from=\"int a\" -->\nold\n<!-- /code -->\nafter\n");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->text,
            "before\n<!-- code: a.h from=\"int a\" -->\n```cpp\nint a() {\n  return "
            "1;\n}\n```\n<!-- /code -->\nafter\n");
  ASSERT_EQ(document->regions.size(), 1U);
  EXPECT_EQ(document->regions[0].line, 2);
  EXPECT_TRUE(document->regions[0].stale);
}

TEST_F(Refreshing, OnceMoreChangesNothing) {
  const auto first = renewed("<!-- code: a.h -->\n<!-- /code -->\n");
  ASSERT_TRUE(first);
  EXPECT_THAT(first->text, HasSubstr("int b();"));
  const auto second = renewed(first->text);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, first->text);
  EXPECT_FALSE(second->regions.at(0).stale);
}

TEST_F(Refreshing, SeesThatTheSourceHasChanged) {
  const auto first = renewed("<!-- code: a.h from=\"int a\" -->\n<!-- /code -->\n");
  ASSERT_TRUE(first);
  files_["a.h"] = "int a() {\n  return 2;\n}\n";
  const auto second = renewed(first->text);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->regions.at(0).stale);
}

TEST_F(Refreshing, LeavesExamplesAndOtherCommentsAlone) {
  const std::string document =
      "```\n<!-- code: a.h -->\n```\n<!-- note: code: x -->\n<!-- code -->\n";
  const auto same = renewed(document);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->text, document);
  EXPECT_TRUE(same->regions.empty());
}

TEST_F(Refreshing, NamesTheLineThatIsWrong) {
  const auto error_of = [this](std::string_view document) {
    return renewed(document).error().message;
  };
  EXPECT_THAT(error_of("x\n<!-- code: gone.h -->\n<!-- /code -->\n"),
              HasSubstr("line 2: cannot read gone.h"));
  EXPECT_THAT(error_of("<!-- code: a.h -->\n"), HasSubstr("line 1: <!-- /code --> is missing"));
  EXPECT_THAT(error_of("<!-- code: a.h from=\"zzz\" -->\n<!-- /code -->\n"),
              HasSubstr("line 1: a.h: has no line"));
  EXPECT_THAT(error_of("<!-- code: a.h from=\"int -->\n<!-- /code -->\n"), HasSubstr("has no end"));
  EXPECT_THAT(error_of("<!-- table: a.h speed -->\n<!-- /table -->\n"), HasSubstr("lab.result/1"));
}

}  // namespace
}  // namespace lab::cli
