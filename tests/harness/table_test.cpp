#include "harness/table.h"

#include <gtest/gtest.h>

namespace lab::harness {
namespace {

using Lines = std::vector<std::string>;

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("plain"), 5u);
  EXPECT_EQ(display_width("✓ ✗ ± × – …"), 11u);
  EXPECT_EQ(display_width("naïve"), 5u);        // one letter of two bytes
  EXPECT_EQ(display_width("nai\u0308ve"), 5u);  // a combining mark takes no column
  EXPECT_EQ(display_width("漢字"), 4u);
  EXPECT_EQ(display_width("🙂"), 2u);
  EXPECT_EQ(display_width(""), 0u);
}

TEST(DisplayWidth, SurvivesBytesThatAreNoUtf8) {
  EXPECT_EQ(display_width("\xff\xfe"), 2u);
  EXPECT_EQ(display_width("cut \xe2\x9c"), 6u);
}

TEST(Padding, FillsToColumns) {
  EXPECT_EQ(padded("✓", 3), "✓  ");
  EXPECT_EQ(padded_left("✓", 3), "  ✓");
  EXPECT_EQ(padded("longer", 3), "longer");
}

TEST(Shortened, MarksWhatIsCut) {
  EXPECT_EQ(shortened("single_flight", 20), "single_flight");
  EXPECT_EQ(shortened("single_flight", 7), "single…");
  EXPECT_EQ(shortened("漢字漢字", 5), "漢字…");
  EXPECT_EQ(shortened("x", 0), "");
}

TEST(Wrapped, BreaksAtBlanks) {
  EXPECT_EQ(wrapped("a read never goes back", 11), (Lines{"a read", "never goes", "back"}));
  EXPECT_EQ(wrapped("", 10), Lines{""});
  EXPECT_EQ(wrapped("two  blanks", 20), Lines{"two blanks"});
}

TEST(Wrapped, KeepsLineBreaksAndCutsLongWords) {
  EXPECT_EQ(wrapped("one\ntwo", 20), (Lines{"one", "two"}));
  EXPECT_EQ(wrapped("scenarios/x.h", 5), (Lines{"scena", "rios/", "x.h"}));
  EXPECT_EQ(wrapped("± ± ±", 3), (Lines{"± ±", "±"}));
}

TEST(Styled, AddsNothingWithoutColour) {
  EXPECT_EQ(styled("✗", Style::bad, false), "✗");
  EXPECT_EQ(styled("✗", Style::bad, true), "\033[1;31m✗\033[0m");
  EXPECT_EQ(styled("x", Style::normal, true), "x");
}

Table small_table() {
  Table table;
  table.add_column("");
  table.add_column("bounded-staleness");
  table.add_column("reads per second", Table::Align::right);
  table.add_row({{"lease"}, {"✓", Style::good}, {"1,000 ±5"}});
  table.add_row({{"cache_forever"}, {"✗"}, {"20"}});
  return table;
}

TEST(Table, AlignsUnderHeadingsOfSeveralLines) {
  EXPECT_EQ(small_table().lines(100, false), (Lines{
                                                 "                 bounded-   reads per",
                                                 "                 staleness     second",
                                                 "  lease          ✓           1,000 ±5",
                                                 "  cache_forever  ✗                 20",
                                             }));
}

TEST(Table, PutsColumnsThatDoNotFitBelow) {
  EXPECT_EQ(small_table().lines(30, false), (Lines{
                                                "                 bounded-",
                                                "                 staleness",
                                                "  lease          ✓",
                                                "  cache_forever  ✗",
                                                "",
                                                "                 reads per",
                                                "                    second",
                                                "  lease           1,000 ±5",
                                                "  cache_forever         20",
                                            }));
}

TEST(Table, BreaksHeadingsMoreFinelyWhereThatSuffices) {
  EXPECT_EQ(small_table().lines(36, false), (Lines{
                                                "                               reads",
                                                "                 bounded-        per",
                                                "                 staleness    second",
                                                "  lease          ✓          1,000 ±5",
                                                "  cache_forever  ✗                20",
                                            }));
}

TEST(Table, HasTheSameWidthsInColour) {
  const auto plain = small_table().lines(100, false), coloured = small_table().lines(100, true);
  EXPECT_EQ(coloured[2], "  lease          \033[32m✓\033[0m           1,000 ±5");
  EXPECT_EQ(plain.size(), coloured.size());
}

TEST(Table, FillsShortRows) {
  Table table;
  EXPECT_TRUE(table.empty());
  table.add_column("a");
  table.add_column("b");
  table.add_row({{"x"}});
  EXPECT_EQ(table.lines(80, false), (Lines{"  a  b", "  x"}));
}

}  // namespace
}  // namespace lab::harness
