// The run as a person sees it, held against transcripts in golden/. LAB_UPDATE_GOLDEN=1 rewrites
// them: look at the difference before committing it.

#include "harness/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "harness/report.h"
#include "harness/table.h"
#include "sample_result.h"

namespace lab::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void expect_like_golden(const std::string& text, const std::string& name) {
  const std::string path = std::string(LAB_TEST_FOLDER) + "/golden/" + name;
  if (std::getenv("LAB_UPDATE_GOLDEN")) std::ofstream(path) << text;
  std::ifstream file(path);
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str()) << path;
}

void expect_no_wider_than(const std::string& text, std::size_t columns) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), columns) << line;
    EXPECT_FALSE(line.ends_with(' ')) << "'" << line << "'";
  }
}

TEST(Report, ReadsWellAtAHundredColumns) {
  const std::string text = report_text(sample_result(), 100, false);
  expect_no_wider_than(text, 100);
  expect_like_golden(text, "as_promised.txt");
}

TEST(Report, ReadsWellOnANarrowTerminal) {
  const std::string text = report_text(sample_result(), 72, false);
  expect_no_wider_than(text, 72);
  expect_like_golden(text, "narrow.txt");
}

TEST(Report, AccusesByName) {
  const std::string text = report_text(broken_sample(), 100, false);
  expect_no_wider_than(text, 100);
  expect_like_golden(text, "promise_broken.txt");
}

TEST(Report, SaysWhatIsMissing) {
  const std::string text = report_text(inconclusive_sample(), 100, false);
  expect_no_wider_than(text, 100);
  expect_like_golden(text, "inconclusive.txt");
}

TEST(Report, IsTheSameTextInColour) {
  std::string coloured = report_text(broken_sample(), 100, true);
  expect_like_golden(coloured, "promise_broken.ansi");
  EXPECT_THAT(coloured, HasSubstr("\033[2;9m"));  // speeds that do not count are struck out
  for (std::size_t at; (at = coloured.find('\033')) != std::string::npos;) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, report_text(broken_sample(), 100, false));
}

TEST(Report, PlainIsTablesOfTabs) {
  const std::string text = report_plain(sample_result());
  EXPECT_EQ(text.find('\033'), std::string::npos);
  std::istringstream lines(text);
  std::size_t tabs = 0;
  bool heading = true;
  for (std::string line; std::getline(lines, line) && !line.starts_with("verdict");) {
    const auto own = static_cast<std::size_t>(std::count(line.begin(), line.end(), '\t'));
    if (heading) tabs = own;
    heading = line.empty();
    EXPECT_TRUE(heading || own == tabs) << line;
  }
  expect_like_golden(text, "plain.txt");
}

TEST(Report, ShowsWhatAnInterruptedRunHas) {
  RunResult result = sample_result();
  result.interrupted = true;
  result.verdict = Verdict::inconclusive;
  result.variants[6] = {};
  result.variants[6].name = "stale_while_revalidate";
  result.variants[6].promise = "must_hold";
  const std::string text = report_text(result, 100, false);
  EXPECT_THAT(text, HasSubstr("not run"));
  EXPECT_THAT(text, HasSubstr("interrupted: what was measured until then is kept"));
  EXPECT_THAT(text, HasSubstr("stale_while_revalidate was not run"));
}

TEST(Report, SaysWhenTheRoundsAreTooFew) {
  RunResult result = sample_result();
  result.comparisons[0].ratio.n = 3;
  EXPECT_THAT(report_text(result, 100, false), HasSubstr("can't tell, too few rounds"));
}

TEST(Report, SurvivesAnEmptyResult) {
  RunResult empty;
  EXPECT_THAT(report_text(empty, 100, false), HasSubstr("inconclusive: nothing was tested"));
  EXPECT_THAT(report_plain(empty), HasSubstr("verdict\tinconclusive"));
}

// ---- the view --------------------------------------------------------------------------------

/// A file in memory.
class Paper {
 public:
  Paper() : file_(std::tmpfile()) {}
  ~Paper() { std::fclose(file_); }
  Paper(const Paper&) = delete;
  Paper& operator=(const Paper&) = delete;
  std::FILE* file() { return file_; }
  std::string text() {
    std::rewind(file_);
    std::string text;
    for (int letter; (letter = std::fgetc(file_)) != EOF;) text += static_cast<char>(letter);
    return text;
  }

 private:
  std::FILE* file_;
};

struct Shown {
  std::string out, progress;
};

/// A short run, with times of its own.
Shown show(const TerminalOptions& options) {
  Paper out, progress;
  const auto view = terminal_view(options, out.file(), progress.file());
  const RunResult result = sample_result();
  const auto tell = [&view](Nanos at, std::string type,
                            std::vector<std::pair<std::string, Field>> fields,
                            const RunResult* finished = nullptr) {
    view->on({std::move(type), std::move(fields), at, finished});
  };
  const std::int64_t two = 2, seven = 7;
  tell(0ms, "started",
       {{"scenario", result.scenario},
        {"question", result.question},
        {"seed", seven},
        {"backend", "real"},
        {"fault", "redis-kill"},
        {"estimated_s", 40.0}});
  for (const auto& server : result.servers) {
    tell(80ms, "server",
         {{"kind", server.kind},
          {"version", server.version},
          {"pid", std::int64_t{server.pid}},
          {"where", server.where}});
  }
  tell(90ms, "load", {{"text", result.load}, {"placement", result.placement}});
  tell(95ms, "note", {{"text", "redis-benchmark is not installed: no limit is measured"}});
  tell(100ms, "trial", {{"variant", "cache_forever"}, {"index", two}, {"of", seven}});
  tell(300ms, "phase", {{"variant", "cache_forever"}, {"name", "steady"}});
  tell(6s, "fault",
       {{"variant", "cache_forever"},
        {"name", "redis-kill"},
        {"target", "redis"},
        {"state", "began"}});
  tell(6200ms, "phase", {{"variant", "cache_forever"}, {"name", "fault"}});
  tell(7s, "fault",
       {{"variant", "cache_forever"},
        {"name", "redis-kill"},
        {"target", "redis"},
        {"state", "ended"}});
  tell(20s, "round", {{"index", two}, {"of", std::int64_t{9}}});
  tell(40s, "finished", {{"verdict", "holds"}, {"exit_status", std::int64_t{0}}}, &result);
  return {out.text(), progress.text()};
}

TEST(TerminalView, TellsTheRunFromItsBeginning) {
  const Shown shown = show({.width = 100});
  expect_no_wider_than(shown.out, 100);
  expect_like_golden(shown.out, "view.txt");
  expect_like_golden(shown.progress, "view_progress.txt");
}

TEST(TerminalView, RewritesOneLineOnATerminal) {
  const Shown shown = show({.animate = true, .width = 100});
  expect_like_golden(shown.progress, "view_progress_animated.txt");
  EXPECT_TRUE(shown.progress.ends_with("\r\033[K"));
  EXPECT_EQ(shown.progress.find('\n'), std::string::npos);
  EXPECT_EQ(shown.out.find('\033'), std::string::npos);
}

TEST(TerminalView, PrintsOnlyTheTablesWhenPlain) {
  const Shown shown = show({.plain = true});
  EXPECT_EQ(shown.out, report_plain(sample_result()));
}

TEST(TerminalView, PrintsOnlyTheVerdictWhenQuiet) {
  const Shown shown = show({.quiet = true});
  EXPECT_EQ(shown.out,
            "cache-aside: ✓ all as promised: 4 variants hold every check, 3 broke what "
            "they had to break\n");
  EXPECT_EQ(shown.progress, "");
}

}  // namespace
}  // namespace lab::harness
