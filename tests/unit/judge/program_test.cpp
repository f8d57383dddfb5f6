// `lab judge` as it is typed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "judge/json_lines.h"
#include "simulator.h"
#include "test_support.h"

namespace lab::judge {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Said {
  int status = -1;
  std::string out, err;
};

class Judge : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_ / name; }
  void write(const std::string& text) { std::ofstream(file("history.jsonl")) << text; }
  std::string text_of(const std::string& name) const { return test::text_of(file(name)); }

  Said judge(const std::string& words) {
    const std::string command =
        "cd " + folder_.path().string() + " && " + LAB_PROGRAM + " judge " + words + " 2>err";
    const auto out = run_program({"sh", "-c", command}, 60s);
    return out ? Said{out->exit_status, out->text, text_of("err")} : Said{};
  }

  const test::TestFolder folder_;
};

const std::string kSkew = R"({"process":1,"invoked":1,"returned":5,"outcome":"ok",)"
                          R"("operations":[["read","x",[]],["append","y",1]]})"
                          "\n"
                          R"({"process":2,"invoked":2,"returned":6,"outcome":"ok",)"
                          R"("operations":[["read","y",[]],["append","x",1]]})"
                          "\n";

TEST_F(Judge, WhatHoldsIs0) {
  std::string text;
  for (const auto& it : simulated_lists({.seed = 2})) text += json_line(it) + "\n";
  write(text);
  const Said said =
      judge("--model list-append --level strict-serializable --history history.jsonl");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.out, StartsWith("holds: strict-serializable over "));
  EXPECT_EQ(said.err, "");
}

TEST_F(Judge, WhatIsViolatedIs1AndHasAWitness) {
  write(kSkew);
  const Said said = judge("--model list-append --history history.jsonl --html page.html");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, StartsWith("violated: serializable over 2 transactions\n\nG2-item"));
  EXPECT_THAT(text_of("page.html"), HasSubstr("</html>"));
  EXPECT_EQ(judge("--model list-append --level snapshot-isolation --history history.jsonl").status,
            0);
}

TEST_F(Judge, NoTimeIs4) {
  write(kSkew);
  const Said said = judge("--model list-append --history history.jsonl --timeout-s 0");
  EXPECT_EQ(said.status, 4);
  EXPECT_THAT(said.out, StartsWith("unknown: "));
}

TEST_F(Judge, ABadHistoryIs2AndOneLine) {
  write(kSkew + "{]\n");
  const Said said = judge("--model list-append --history history.jsonl");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.out, "");
  EXPECT_EQ(said.err, "lab: history.jsonl: line 3: not JSON, from byte 2 on\n");
  EXPECT_EQ(judge("--model list-append --history none.jsonl").status, 2);
  EXPECT_EQ(judge("--model list-append --history .").status, 2);
}

TEST_F(Judge, WrongFlagsAre2) {
  write(kSkew);
  EXPECT_EQ(judge("--model lists --history history.jsonl").status, 2);
  EXPECT_EQ(judge("--model list-append").status, 2);
  EXPECT_EQ(judge("--history history.jsonl").status, 2);
  EXPECT_EQ(judge("--model kv --level serializable --history history.jsonl").status, 2);
  EXPECT_THAT(judge("--model list-append --level serialisable --history history.jsonl").err,
              HasSubstr("did you mean serializable?"));
  EXPECT_EQ(judge("--model list-append --timeout-s -1 --history history.jsonl").status, 2);
}

TEST_F(Judge, APageThatCannotBeWrittenIs3) {
  write(kSkew);
  EXPECT_EQ(judge("--model list-append --history history.jsonl --html no/page.html").status, 3);
}

TEST_F(Judge, JsonIsOneObject) {
  write(kSkew);
  const auto answer =
      nlohmann::json::parse(judge("--model list-append --history history.jsonl --json").out);
  EXPECT_EQ(answer.at("schema"), "lab.judgement/1");
  EXPECT_EQ(answer.at("verdict"), "violated");
  EXPECT_EQ(answer.at("anomalies").at(0).at("name"), "G2-item");
  EXPECT_EQ(answer.at("anomalies").at(0).at("lines").size(), 2U);
}

TEST_F(Judge, RegistersComeFromStdinToo) {
  std::string text;
  for (const auto& it : simulated_registers({.seed = 2})) text += json_line(it) + "\n";
  write(text);
  EXPECT_EQ(judge("--model register --history - < history.jsonl").status, 0);
  EXPECT_EQ(judge("--model kv --history - < history.jsonl").status, 2) << "they name no key";
}

TEST_F(Judge, HelpNamesTheExitStatus) {
  const Said said = judge("--help");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.out, HasSubstr("4 unknown"));
  EXPECT_THAT(said.out, HasSubstr("docs/formats/history.md"));
}

}  // namespace
}  // namespace lab::judge
