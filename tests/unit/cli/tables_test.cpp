#include "cli/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lab::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kTabulated = R"json({
  "schema": "lab.result/1", "scenario": "cache-aside", "backend": "real", "fault": "redis-kill", "seed": 7,
  "commit": "abc1234", "machine": {"cpus": 2, "cpu": "Some CPU", "system": "Debian GNU/Linux 12"},
  "servers": [{"kind": "redis", "version": "7.0.15"}],
  "checks": [{"name": "fresh", "claim": "never older than 2 s"}, {"name": "loads", "claim": "one load per expiry"}],
  "variants": [
    {"name": "naive", "promise": "must_break(fresh)", "idea": "ask | keep", "ranked": false, "line": 3,
     "source": "scenarios/cache_aside/variants/naive.h",
     "checks": [{"name": "fresh", "verdict": "violated", "witness": "key 7: read 1 after 2", "examined": 9}],
     "metrics": [{"name": "reads_per_second", "unit": "1/s", "median": 12345.6, "low": 12000, "high": 13100, "n": 9},
                 {"name": "outage_ms", "unit": "ms", "median": 250, "low": 250, "high": 250, "n": 1}]},
    {"name": "lease", "promise": "must_hold", "idea": "one loader", "ranked": true, "line": 5,
     "source": "scenarios/cache_aside/variants/lease.h",
     "checks": [{"name": "fresh", "verdict": "holds", "witness": "", "examined": 9},
                {"name": "loads", "verdict": "inconclusive", "witness": "no expiry", "examined": 0}],
     "metrics": [{"name": "reads_per_second", "unit": "1/s", "median": 9876, "low": 9800, "high": 9901, "n": 9},
                 {"name": "outage_ms", "unit": "ms", "median": 0.0123, "low": 0.0123, "high": 0.0123, "n": 1},
                 {"name": "memory_peak", "unit": "MB", "median": 5, "low": 4, "high": 6, "n": 9}]}],
  "limits": [{"name": "redis-benchmark GET", "metric": "reads_per_second", "unit": "1/s", "median": 11000, "low": 10000,
              "high": 12000, "n": 9, "best": "lease", "ratio": 0.897, "ratio_low": 0.82, "ratio_high": 0.98, "ratio_n": 9},
             {"name": "RabbitMQ alone", "metric": "reads_per_second", "unit": "1/s", "median": 11000, "low": 10000,
              "high": 12000, "n": 9, "best": "naive", "ratio": 0, "ratio_low": 0, "ratio_high": 0, "ratio_n": 0},
             {"name": "GETs one by one", "metric": "reads_per_second", "unit": "1/s", "median": 1000, "low": 900,
              "high": 1100, "n": 9, "best": "lease", "ratio": 9.8, "ratio_low": 9, "ratio_high": 11, "ratio_n": 9,
              "comparison": true}]
})json";

std::string table(const std::string& kind, const std::vector<std::string>& metrics = {}) {
  const auto made = result_table(kTabulated, kind, metrics, "scenarios/cache_aside/README.md");
  return made ? *made : "error: " + made.error().message;
}

TEST(ResultTable, VariantsLinkToTheirSourceFromTheDocument) {
  const std::string text = table("variants");
  EXPECT_THAT(text,
              HasSubstr("| [naive](variants/naive.h) | must_break(fresh) | ask \\| keep |\n"));
  EXPECT_THAT(result_table(kTabulated, "variants", {}, "README.md").value(),
              HasSubstr("[lease](scenarios/cache_aside/variants/lease.h)"));
}

TEST(ResultTable, CorrectnessIsCheckByVariant) {
  const std::string text = table("correctness");
  EXPECT_THAT(text, HasSubstr("| check | naive | lease |\n|---|:-:|:-:|\n"));
  EXPECT_THAT(text, HasSubstr("| **fresh**: never older than 2 s | ✗ | ✓ |\n"));
  EXPECT_THAT(text, HasSubstr("| **loads**: one load per expiry | – | ? |\n"));
}

TEST(ResultTable, WitnessesAreThoseOfWhatWasBroken) {
  const std::string text = table("witnesses");
  EXPECT_THAT(text, HasSubstr("| naive | fresh | key 7: read 1 after 2 |\n"));
  EXPECT_THAT(text, Not(HasSubstr("no expiry")));
}

TEST(ResultTable, SpeedOfAVariantThatBrokeACheckIsStruckOut) {
  const std::string text = table("speed");
  EXPECT_THAT(
      text,
      HasSubstr(
          "| variant | reads per second | outage ms | memory peak (MB) |\n|---|--:|--:|--:|\n"));
  EXPECT_THAT(text, HasSubstr("| naive | ~~12,300 [12,000, 13,100]~~ | 250 | – |\n"));
  EXPECT_THAT(text, HasSubstr("| lease | 9,880 [9,800, 9,900] | 0.0123 | 5.00 [4.00, 6.00] |\n"));
}

TEST(ResultTable, SpeedSaysWhatAVariantHasNoValueFor) {
  EXPECT_THAT(table("speed", {"memory_peak"}),
              HasSubstr("| variant | memory peak (MB) |\n|---|--:|\n| naive | – |\n"));
}

TEST(ResultTable, SpeedShowsTheChosenMetricsInTheirOrder) {
  EXPECT_THAT(table("speed", {"outage_ms"}), HasSubstr("| variant | outage ms |\n"));
  EXPECT_THAT(table("speed", {"p99"}),
              HasSubstr("no metric p99; there are: reads_per_second, outage_ms, memory_peak"));
}

TEST(ResultTable, SpeedSaysWhetherItIsOfRoundsOrOfOneRun) {
  EXPECT_THAT(table("speed"), HasSubstr("\nMedian [quartiles] of the rounds; struck out"));
  EXPECT_THAT(table("speed", {"outage_ms"}),
              HasSubstr("\nCounted once, in the run that was checked."));
  EXPECT_THAT(table("speed", {"outage_ms"}), Not(HasSubstr("Median")));
}

TEST(ResultTable, LimitsShowHowNearTheBestCame) {
  EXPECT_THAT(
      table("limits"),
      HasSubstr("| redis-benchmark GET (reads_per_second) | 11,000 [10,000, 12,000] 1/s | lease "
                "| 0.90 [0.82, 0.98] |\n"));
  EXPECT_THAT(table("limits"),
              HasSubstr("| RabbitMQ alone (reads_per_second) | 11,000 [10,000, 12,000] 1/s | – | – "
                        "|\n"))
      << "the one that it bounds has no rank";
  EXPECT_THAT(
      table("limits"),
      HasSubstr("|\n\n| for comparison | measured | best variant | ratio |\n|---|--:|--:|--:|\n"
                "| GETs one by one (reads_per_second) | 1,000 [900, 1,100] 1/s | lease | "
                "9.80 [9.00, 11.00] |\n"));
}

TEST(ResultTable, SaysWhereTheNumbersComeFrom) {
  EXPECT_THAT(
      table("speed"),
      HasSubstr("redis 7.0.15, backend real, fault redis-kill, seed 7, commit abc1234; 2 × Some "
                "CPU, Debian GNU/Linux 12"));
}

TEST(ResultTable, WhatIsNoResultIsAnError) {
  EXPECT_THAT(table("sped"), HasSubstr("no table sped"));
  for (const std::string_view text : {"", "[]", "{}", R"({"schema": "lab.result/1"})"}) {
    const auto made = result_table(text, "speed", {}, "README.md");
    ASSERT_FALSE(made) << text;
    EXPECT_THAT(made.error().message, HasSubstr("lab.result/1"));
  }
}

}  // namespace
}  // namespace lab::cli
