#include "cli/flame_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lab::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t boxes(const std::string& svg) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = svg.find("<g>", at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(FlameGraph, HasABoxPerFunctionInItsCallingContext) {
  const std::string svg = flame_graph("main;read;parse 30\nmain;read 10\nmain;write 60\n", "t");
  EXPECT_EQ(boxes(svg), 5U);  // all, main, read, parse, write
  EXPECT_THAT(svg, HasSubstr("<title>main: 100 samples, 100.0 %</title>"));
  EXPECT_THAT(svg, HasSubstr("<title>read: 40 samples, 40.0 %</title>"));
  EXPECT_THAT(svg, HasSubstr("<title>parse: 30 samples, 30.0 %</title>"));
}

TEST(FlameGraph, BoxesAreAsWideAsTheirShare) {
  const std::string svg = flame_graph("a 25\nb 75\n", "t");
  EXPECT_THAT(svg, HasSubstr("x=\"10.0\" y=\"44\" width=\"295.0\""));
  EXPECT_THAT(svg, HasSubstr("x=\"305.0\" y=\"44\" width=\"885.0\""));
}

TEST(FlameGraph, LeavesOutWhatIsTooNarrowToSee) {
  EXPECT_EQ(boxes(flame_graph("main;often 99999\nmain;seldom 1\n", "t")), 3U);
}

TEST(FlameGraph, EscapesNames) {
  const std::string svg = flame_graph("f<int>(A&, \"x\") 1\n", "a < b");
  EXPECT_THAT(svg, HasSubstr("<title>f&lt;int&gt;(A&amp;, &quot;x&quot;): 1 samples"));
  EXPECT_THAT(svg, HasSubstr(">a &lt; b</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("f<int>")));
}

TEST(FlameGraph, LabelsAreTheShortNames) {
  const auto label_of = [](const std::string& name) {
    const std::string svg = flame_graph(name + " 1\n", "t");
    const std::size_t begin = svg.rfind("\">") + 2;
    return svg.substr(begin, svg.find("</text>", begin) - begin);
  };
  EXPECT_EQ(label_of("void std::sort<int*>(int*, int*)"), "std::sort");
  EXPECT_EQ(label_of("lab::(anonymous namespace)::parse(char const*) const"), "lab::parse");
  EXPECT_EQ(label_of("std::error_code::message() const@@GLIBCXX_3.4.11"),
            "std::error_code::message");
  EXPECT_EQ(label_of("A::operator()(int) const"), "A::operator()");
  EXPECT_EQ(label_of("bool std::operator< <char>(S const&)"), "std::operator&lt;");
  EXPECT_EQ(label_of("A::operator bool() const"), "A::operator bool");
  EXPECT_EQ(label_of("f(std::function<void (int)>)::{lambda(int)#1}::operator()(int) const"),
            "f::{lambda#1}::operator()");
}

TEST(FlameGraph, DropsTheProfilersNotesFromNames) {
  const std::string svg =
      flame_graph("main<0000000000001227>;f(int)[inline] 3\nmain<00000000000015de> 1\n", "t");
  EXPECT_THAT(svg, HasSubstr("<title>main: 4 samples"));
  EXPECT_THAT(svg, HasSubstr("<title>f(int): 3 samples"));
}

TEST(FlameGraph, OfNothingIsStillAPicture) {
  const std::string svg = flame_graph("", "t");
  EXPECT_THAT(svg, HasSubstr("0 samples"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
}

}  // namespace
}  // namespace lab::cli
