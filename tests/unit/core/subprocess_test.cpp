#include "core/subprocess.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(RunProgram, ReadsTheOutputAndTheStatus) {
  const auto output = run_program({"sh", "-c", "printf 'a b'; exit 7"}, 30s);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->text, "a b");
  EXPECT_EQ(output->exit_status, 7);
}

TEST(RunProgram, PassesArgumentsWithoutAShell) {
  const auto output = run_program({"printf", "%s", "$HOME; *"}, 30s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "$HOME; *");
}

TEST(RunProgram, ReadsMoreThanAPipeHolds) {
  const auto output = run_program({"head", "-c", "1000000", "/dev/zero"}, 30s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text.size(), 1'000'000U);
}

TEST(RunProgram, GivesNoInput) {
  const auto output = run_program({"cat"}, 30s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "");
}

TEST(RunProgram, TellsASignal) {
  const auto output = run_program({"sh", "-c", "kill -9 $$"}, 30s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_status, 128 + 9);
}

TEST(RunProgram, ThatIsNotInstalledIsUnavailable) {
  const auto output = run_program({"no-such-program-anywhere"}, 30s);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::unavailable);
  EXPECT_EQ(output.error().happened, Happened::no);
}

TEST(RunProgram, ThatTakesTooLongIsKilled) {
  const Instant before = now();
  const auto output = run_program({"sleep", "60"}, 50ms);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::timeout);
  EXPECT_EQ(output.error().happened, Happened::unknown);
  EXPECT_LT(now() - before, 30s);
}

}  // namespace
}  // namespace lab
