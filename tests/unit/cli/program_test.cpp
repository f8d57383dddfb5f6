#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/subprocess.h"
#include "test_support.h"

namespace lab {
namespace {

using testing::HasSubstr;

struct Said {
  int status = -1;
  std::string out;
  std::string err;
};

/// The lab program with these words after its name; a shell keeps the two streams apart.
Said lab(const std::string& words) {
  const std::string program = LAB_PROGRAM;
  const auto out = run_program({"sh", "-c", program + " " + words + " 2>/dev/null"}, 60s);
  const auto err = run_program({"sh", "-c", program + " " + words + " 2>&1 >/dev/null"}, 60s);
  if (!out || !err) return {};
  return {out->exit_status, out->text, err->text};
}

TEST(LabProgram, HelpIsAResultAndEndsInAnExample) {
  for (const char* command :
       {"list", "doctor", "run", "serve-variant", "profile", "judge", "test", "docs"}) {
    const Said said = lab(std::string(command) + " --help");
    EXPECT_EQ(said.status, 0) << command;
    EXPECT_THAT(said.out, HasSubstr(std::string("Example: ./lab ") + command));
    EXPECT_EQ(said.err, "") << command;
  }
}

TEST(LabProgram, WithoutACommandIsAUsageError) {
  const Said said = lab("");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(said.err, HasSubstr("--help"));
}

TEST(LabProgram, AMistypedCommandGetsTheNearestOne) {
  const Said said = lab("doctro");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("did you mean: ./lab doctor"));
}

TEST(LabProgram, AMistypedFlagIsAUsageError) {
  EXPECT_EQ(lab("list --jsno").status, 2);
}

TEST(LabProgram, AMistypedScenarioGetsTheNearestOne) {
  for (const char* command : {"run cache-asid --quick", "profile cache_asid --variant x",
                              "serve-variant cache-asid --variant x"}) {
    const Said said = lab(command);
    EXPECT_EQ(said.status, 2) << command;
    EXPECT_THAT(said.err, HasSubstr("no scenario cache"));
  }
}

/// A copy of the lab that has one page and one source.
class Docs : public testing::Test {
 protected:
  Docs() {
    std::filesystem::create_directories(root_ / "docs/guide");
    write("a.h", "int a();\n");
    write("docs/guide/page.md", "<!-- code: a.h -->\n<!-- /code -->\n");
  }

  void write(const std::string& path, const std::string& text) {
    std::ofstream(root_ / path) << text;
  }
  Said docs(const std::string& flags) {
    return lab("docs " + flags + " --root " + root_.path().string());
  }

  const test::TestFolder root_;
};

TEST_F(Docs, CheckNamesWhatIsOutOfDateAndChangesNothing) {
  for (int time = 0; time < 2; ++time) {
    const Said said = docs("--check");
    EXPECT_EQ(said.status, 1);
    EXPECT_EQ(said.out, "docs/guide/page.md:1: out of date: code: a.h\n");
    EXPECT_THAT(said.err, HasSubstr("./lab docs"));
  }
}

TEST_F(Docs, RenewsWhatIsOutOfDate) {
  EXPECT_EQ(docs("").status, 0);
  EXPECT_EQ(docs("--check").status, 0);
  write("a.h", "int b();\n");
  EXPECT_EQ(docs("--check").status, 1);
}

TEST_F(Docs, TellsWhatCannotBeMade) {
  write("docs/guide/page.md",
        "<!-- table: results/reference/none.json speed -->\n<!-- /table -->\n");
  for (const char* flags : {"", "--check"}) {
    const Said said = docs(flags);
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.err,
                HasSubstr("docs/guide/page.md: line 1: cannot read results/reference/none.json"));
  }
}

TEST(LabProgram, ListsAsJson) {
  const Said said = lab("list --json");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.out, HasSubstr("\"scenarios\""));
}

}  // namespace
}  // namespace lab
