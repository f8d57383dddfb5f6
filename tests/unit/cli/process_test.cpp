#include "cli/process.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "test_support.h"

namespace lab::cli {
namespace {

TEST(Call, ReturnsTheExitStatus) {
  const auto status = call({"sh", "-c", "exit 5"});
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 5);
}

TEST(Call, TellsASignalAsAShellDoes) {
  EXPECT_EQ(call({"sh", "-c", "kill -9 $$"}).value(), 128 + 9);
}

TEST(Call, RunsInTheFolder) {
  EXPECT_EQ(call({"sh", "-c", "test \"$(pwd -P)\" = /"}, {.folder = "/"}).value(), 0);
}

TEST(Call, AddsToTheEnvironmentAndKeepsTheRest) {
  const std::string script = "test \"$LAB_TEST_VALUE\" = new && test -n \"$PATH\"";
  ASSERT_EQ(setenv("LAB_TEST_VALUE", "old", 1), 0);
  EXPECT_EQ(call({"sh", "-c", script}, {.added = {{"LAB_TEST_VALUE", "new"}}}).value(), 0);
  EXPECT_EQ(call({"sh", "-c", script}).value(), 1);
}

TEST(Call, KeepsOtherProgramsOutOfOurResult) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(call({"echo", "progress"}, {.output_to_stderr = true}).value(), 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "progress\n");
}

TEST(Call, WritesToALog) {
  const test::TestFolder folder;
  const auto log = folder / "log";
  EXPECT_EQ(call({"sh", "-c", "echo out; echo err >&2"}, {.log = log}).value(), 0);
  EXPECT_EQ(test::text_of(log), "out\nerr\n");
}

TEST(Call, OfAProgramThatIsNotThereSaysSo) {
  const auto status = call({"no-such-program-anywhere"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::unavailable);
  EXPECT_NE(status.error().message.find("no-such-program-anywhere"), std::string::npos);
}

TEST(Become, ReturnsOnlyWhenItFails) {
  EXPECT_EQ(become({"/no/such/program"}).code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace lab::cli
