#include "harness/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "test_support.h"

namespace lab::harness {
namespace {

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

Event fault_event() {
  return {"fault",
          {{"variant", "lease"}, {"pid", std::int64_t{7}}, {"share", 0.5}, {"real", true}},
          1'234'567ns,
          nullptr};
}

TEST(Event, FindsItsFields) {
  const Event event = fault_event();
  EXPECT_EQ(event.text("variant"), "lease");
  EXPECT_EQ(event.number("pid"), 7);
  EXPECT_EQ(event.number("share"), 0.5);
  EXPECT_EQ(event.text("absent"), "");
  EXPECT_EQ(event.number("absent"), 0);
  EXPECT_EQ(event.text("pid"), "");
  EXPECT_EQ(event.find("absent"), nullptr);
}

class Collector : public EventReader {
 public:
  void on(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

TEST(EventStream, TellsEveryReaderInOrderOfTime) {
  EventStream stream;
  const auto one = std::make_shared<Collector>(), two = std::make_shared<Collector>();
  stream.add(one);
  stream.add(two);
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&stream] {
      for (int k = 0; k < 250; ++k) stream.emit("sample", {{"k", std::int64_t{k}}});
    });
  }
  for (auto& writer : writers) writer.join();
  ASSERT_EQ(one->events.size(), 1'000u);
  EXPECT_EQ(two->events.size(), 1'000u);
  for (std::size_t i = 1; i < one->events.size(); ++i) {
    EXPECT_LE(one->events[i - 1].at, one->events[i].at);
  }
}

TEST(EventFile, WritesALineOfJsonForEachEvent) {
  const test::TestFolder folder;
  EventFile file(folder.path() / "events.ndjson");
  file.on(fault_event());
  file.on({"note",
           {{"text", "a \"quoted\"\nline, \xff no UTF-8"},
            {"nan", std::numeric_limits<double>::quiet_NaN()}},
           2s,
           nullptr});
  const auto lines = lines_of(folder.path() / "events.ndjson");  // while it is still open
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0],
            R"({"t_ms":1.235,"type":"fault","variant":"lease","pid":7,"share":0.5,"real":true})");
  const auto note = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(note["t_ms"], 2000.0);
  EXPECT_THAT(std::string(note["text"]), ::testing::HasSubstr("\"quoted\"\nline"));
  EXPECT_TRUE(note["nan"].is_null());
  EXPECT_EQ(file.problem(), "");
}

TEST(EventFile, NamesThePathThatItCannotWrite) {
  EventFile file("/no/such/folder/events.ndjson");
  file.on(fault_event());
  EXPECT_EQ(file.problem(),
            "cannot write /no/such/folder/events.ndjson: No such file or directory");
}

TEST(EventFile, NoticesAFullDevice) {
  EventFile file("/dev/full");
  EXPECT_EQ(file.problem(), "");
  file.on(fault_event());
  file.on(fault_event());
  EXPECT_EQ(file.problem(), "cannot write /dev/full: No space left on device");
}

/// A limit on the size of files stands in for a disk that fills up in the middle of a line.
TEST(EventFile, KeepsOnlyWholeLinesWhenTheDiskFillsUp) {
  const test::TestFolder folder;
  const auto path = folder.path() / "events.ndjson";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1'000;
  std::string problem;
  {
    EventFile file(path);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 100; ++i) file.on(fault_event());
    problem = file.problem();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(problem, "cannot write " + path.string() + ": File too large");
  const auto lines = lines_of(path);
  EXPECT_GE(lines.size(), 5u);
  EXPECT_LT(lines.size(), 100u);
  for (const auto& line : lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

}  // namespace
}  // namespace lab::harness
