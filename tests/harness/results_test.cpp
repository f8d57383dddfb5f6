#include "harness/results.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

#include "harness/files.h"
#include "sample_result.h"
#include "test_support.h"

namespace lab::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::text_of;
using ::testing::HasSubstr;

// ---- lab.result/1 against its schema ---------------------------------------------------------

enum class Answer { valid, invalid, cannot_ask };

Answer validate(const std::string& text, const char* redirection = "") {
  const test::TestFolder folder;
  const fs::path file = folder.path() / "result.json";
  std::ofstream(file) << text;
  const std::string arguments =
      fmt::format("{0}/validate_result.py {1}/docs/formats/lab.result-1.schema.json {2}",
                  LAB_TEST_FOLDER, LAB_SOURCE_DIR, file.string());
  // The system's own Python has Debian's packages; another one may come first in PATH.
  for (const char* python : {"/usr/bin/python3", "python3"}) {
    const int status = std::system(fmt::format("{} {} {}", python, arguments, redirection).c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 0) return Answer::valid;
    if (code == 1) return Answer::invalid;
  }
  return Answer::cannot_ask;
}

class ResultSchema : public ::testing::Test {
 protected:
  void SetUp() override {
    if (validate("{}", "2>/dev/null") != Answer::cannot_ask) return;
    if (std::getenv("CI")) FAIL() << "python3-jsonschema is needed";
    GTEST_SKIP() << "python3-jsonschema is not installed";
  }
};

TEST_F(ResultSchema, AcceptsWhatIsWritten) {
  EXPECT_EQ(validate(to_json(sample_result())), Answer::valid);
  EXPECT_EQ(validate(to_json(broken_sample())), Answer::valid);
  EXPECT_EQ(validate(to_json(inconclusive_sample())), Answer::valid);
}

TEST_F(ResultSchema, RefusesWhatIsNotInIt) {
  const auto refused = [](const std::function<void(json&)>& change) {
    json result = json::parse(to_json(sample_result()));
    change(result);
    return validate(result.dump()) == Answer::invalid;
  };
  EXPECT_TRUE(refused([](json& r) { r["more"] = 1; }));
  EXPECT_TRUE(refused([](json& r) { r["variants"][0]["metrics"][0]["mean"] = 1; }));
  EXPECT_TRUE(refused([](json& r) { r.erase("seed"); }));
  EXPECT_TRUE(refused([](json& r) { r["verdict"] = "passed"; }));
  EXPECT_TRUE(refused([](json& r) { r["variants"][1]["ranked"] = true; }));
  EXPECT_TRUE(refused([](json& r) { r["variants"][1]["checks"][0]["witness"] = ""; }));
}

TEST_F(ResultSchema, AcceptsAResultWithoutMeasurements) {
  RunResult result;
  result.scenario = "empty";
  result.backend = "embedded";
  result.commit = "unknown";
  result.began = "2026-11-21T01:16:43Z";
  EXPECT_EQ(validate(to_json(result)), Answer::valid);
}

// ---- lab.result/1 ----------------------------------------------------------------------------

TEST(ResultJson, HasWhatItsReadersCountOn) {
  const json result = json::parse(to_json(sample_result()));
  EXPECT_EQ(result["schema"], "lab.result/1");
  EXPECT_EQ(result["machine"]["cpus"], 2);
  EXPECT_EQ(result["servers"][1]["kind"], "mariadb");
  EXPECT_EQ(result["faults"].size(), 7u);
  EXPECT_EQ(result["checks"][0]["name"], "bounded-staleness");
  const json& naive = result["variants"][1];
  EXPECT_EQ(naive["name"], "cache_forever");
  EXPECT_EQ(naive["promise"], "must_break(bounded-staleness, convergence)");
  EXPECT_EQ(naive["verdict"], "violated");
  EXPECT_EQ(naive["as_promised"], "holds");
  EXPECT_EQ(naive["ranked"], false);
  EXPECT_THAT(std::string(naive["checks"][0]["witness"]), HasSubstr("version 4"));
  const json& speed = naive["metrics"][5];
  EXPECT_EQ(speed["name"], "reads_per_second");
  EXPECT_EQ(speed["from"], "rounds");
  EXPECT_EQ(speed["n"], 9);
  EXPECT_EQ(speed["samples"].size(), 9u);
  EXPECT_LE(speed["low"], speed["median"]);
  EXPECT_EQ(naive["timeseries"]["t_ms"].size(), naive["timeseries"]["fault"].size());
  EXPECT_EQ(naive["latencies"][0]["n"], 5'000);
}

TEST(ResultJson, IsIndentedWithListsOfNumbersOnOneLine) {
  const std::string text = to_json(sample_result());
  EXPECT_TRUE(text.starts_with("{\n  \"schema\": \"lab.result/1\",\n"));
  EXPECT_TRUE(text.ends_with("\n}"));
  EXPECT_THAT(text, HasSubstr("          \"samples\": ["));
  EXPECT_EQ(json::parse(text).dump(), json::parse(json::parse(text).dump()).dump());
}

TEST(ResultJson, LeavesOutWhatIsNoNumber) {
  RunResult result = sample_result();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  auto& metrics = result.variants[0].metrics;
  metrics[0].samples = {kNan};
  metrics[1].samples = {};
  metrics[5].samples[3] = std::numeric_limits<double>::infinity();
  result.comparisons[0].ratio.value = kNan;
  result.limits[0].ratio.high = kNan;
  result.took_s = kNan;
  const json written = json::parse(to_json(result));
  EXPECT_EQ(written["variants"][0]["metrics"].size(), metrics.size() - 3);
  EXPECT_EQ(written["comparisons"].size(), result.comparisons.size() - 1);
  EXPECT_EQ(written["limits"].size(), 0u);
  EXPECT_EQ(to_json(result).find("null"), std::string::npos);
}

TEST(ResultJson, RepairsTextThatIsNoUtf8) {
  RunResult result = sample_result();
  result.variants[1].checks[0].result.witness = "read \xff\xfe bytes";
  EXPECT_THAT(std::string(json::parse(to_json(result))["variants"][1]["checks"][0]["witness"]),
              HasSubstr("bytes"));
}

// ---- Google Benchmark ------------------------------------------------------------------------

const json* row_of(const json& file, const std::string& name, int repetition = 0) {
  for (const auto& row : file["benchmarks"]) {
    if (row["name"] == name && row["repetition_index"] == repetition) return &row;
  }
  return nullptr;
}

TEST(GoogleBenchmarkJson, HasARowForEachRound) {
  const RunResult result = sample_result();
  const json file = json::parse(to_google_benchmark_json(result));
  EXPECT_EQ(file["context"]["json_schema_version"], 1);
  EXPECT_EQ(file["context"]["library_build_type"], "release");
  EXPECT_TRUE(file["context"]["caches"].is_array());
  EXPECT_EQ(file["context"]["date"], "2026-11-21T01:16:43+00:00");
  const json* row = row_of(file, "cache-aside/lease/read_p99_us", 8);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ((*row)["repetitions"], 9);
  EXPECT_EQ((*row)["time_unit"], "us");
  EXPECT_EQ((*row)["real_time"], result.variants[5].metrics[8].samples[8]);
}

TEST(GoogleBenchmarkJson, TurnsRatesIntoTimes) {
  const json file = json::parse(to_google_benchmark_json(sample_result()));
  const json* row = row_of(file, "cache-aside/no_cache/reads_per_second");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ((*row)["time_unit"], "ns");
  EXPECT_NEAR(double((*row)["real_time"]) * double((*row)["items_per_second"]), 1e9, 1);
}

TEST(GoogleBenchmarkJson, SaysOfOtherQuantitiesThatTheyAreNoTimes) {
  const json file = json::parse(to_google_benchmark_json(sample_result()));
  const json* row = row_of(file, "cache-aside/lease/loads_per_expiry");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ((*row)["real_time"], 1);
  EXPECT_EQ((*row)["label"], "seed=7 unit=1, not a time");
}

TEST(GoogleBenchmarkJson, GivesAnErrorInPlaceOfASpeedWithoutRank) {
  const json file = json::parse(to_google_benchmark_json(sample_result()));
  const json* row = row_of(file, "cache-aside/cache_forever/reads_per_second");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ((*row)["error_occurred"], true);
  EXPECT_EQ((*row)["error_message"], "not ranked: breaks bounded-staleness, convergence");
  EXPECT_EQ((*row)["real_time"], 0);
  EXPECT_EQ(row_of(file, "cache-aside/cache_forever/reads_per_second", 1), nullptr);
}

// ---- files -----------------------------------------------------------------------------------

TEST(ResultFiles, AreWrittenWhole) {
  const test::TestFolder folder;
  const RunResult result = sample_result();
  ASSERT_TRUE(write_result_files(result, folder.path()));
  EXPECT_EQ(text_of(folder.path() / "result.json"), to_json(result) + '\n');
  const std::string csv = text_of(folder.path() / "timeseries.csv");
  EXPECT_TRUE(csv.starts_with(
      "t_ms,variant,ops,err,p50_us,p99_us,fault\n0.0,no_cache,50,0,180.0,420.0,\n"));
  EXPECT_THAT(csv, HasSubstr("1000.0,lease,50,0,900.0,5400.0,redis-kill\n"));
  EXPECT_THAT(text_of(folder.path() / "hist" / "lease-read.hgrm"), HasSubstr("#[Buckets ="));
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    EXPECT_NE(entry.path().extension(), ".part") << entry.path();
  }
}

TEST(ResultFiles, ReplaceOlderOnes) {
  const test::TestFolder folder;
  std::ofstream(folder.path() / "result.json") << "old";
  ASSERT_TRUE(write_result_files(sample_result(), folder.path()));
  EXPECT_THAT(text_of(folder.path() / "result.json"), HasSubstr("lab.result/1"));
}

TEST(ResultFiles, NameThePathThatCannotBeWritten) {
  const auto written = write_result_files(sample_result(), "/no/such/folder");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            "cannot write /no/such/folder/result.json: No such file or directory");
}

/// A file system of a few pages, gone with its object.
class SmallDisk {
 public:
  explicit SmallDisk(const char* options)
      : mounted_(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options) == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  const fs::path& path() const { return folder_.path(); }

 private:
  test::TestFolder folder_;
  bool mounted_;
};

TEST(ResultFiles, LeaveNoHalfFileOnAFullDisk) {
  const SmallDisk disk("size=16k");
  if (!disk.mounted()) GTEST_SKIP() << "only root may mount a small disk";
  std::ofstream(disk.path() / "result.json") << "old";
  const auto written = write_result_files(sample_result(), disk.path());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::exhausted);
  EXPECT_EQ(written.error().message,
            "cannot write " + (disk.path() / "result.json").string() + ": No space left on device");
  EXPECT_EQ(text_of(disk.path() / "result.json"), "old");
  EXPECT_FALSE(fs::exists(disk.path() / "result.json.part"));
}

TEST(ResultFolder, IsMadeAndLinkedAsTheLatest) {
  const test::TestFolder results;
  const auto first = make_result_folder(results.path(), "cache-aside", "0123abc+", 7);
  const auto second = make_result_folder(results.path(), "cache-aside", "0123abc+", 7);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_NE(*first, *second);
  EXPECT_TRUE(fs::is_directory(*first));
  EXPECT_THAT(first->filename().string(), ::testing::MatchesRegex("[0-9TZ]+-0123abc.-7"));
  const fs::path latest = results.path() / "cache-aside" / "latest";
  EXPECT_EQ(fs::read_symlink(latest), second->filename());
  EXPECT_EQ(fs::canonical(latest), fs::canonical(*second));
}

TEST(ResultFolder, SaysWhichFolderCannotBeMade) {
  const auto folder = make_result_folder("/dev/null", "cache-aside", "0123abc", 7);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, "cannot make /dev/null/cache-aside: Not a directory");
}

TEST(ResultFolder, SaysThatTheDiskIsFull) {
  const SmallDisk disk("nr_inodes=2");
  if (!disk.mounted()) GTEST_SKIP() << "only root may mount a small disk";
  const auto folder = make_result_folder(disk.path(), "cache-aside", "0123abc", 7);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::exhausted);
  EXPECT_THAT(folder.error().message, HasSubstr("No space left on device"));
  EXPECT_THAT(folder.error().message, HasSubstr(disk.path().string()));
}

}  // namespace
}  // namespace lab::harness
