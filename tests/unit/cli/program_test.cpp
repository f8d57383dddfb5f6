#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/subprocess.h"

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
  for (const char* command : {"list", "doctor", "run", "profile", "test", "docs"}) {
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
  for (const char* command : {"run cache-asid --quick", "profile cache_asid --variant x"}) {
    const Said said = lab(command);
    EXPECT_EQ(said.status, 2) << command;
    EXPECT_THAT(said.err, HasSubstr("no scenario cache"));
  }
}

TEST(LabProgram, ListsAsJson) {
  const Said said = lab("list --json");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.out, HasSubstr("\"scenarios\""));
}

}  // namespace
}  // namespace lab
