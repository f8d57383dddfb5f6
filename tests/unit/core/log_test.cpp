#include "core/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lab::log {
namespace {

class Log : public testing::Test {
 protected:
  ~Log() override { set_level(Level::warning); }
};

TEST_F(Log, WritesToStderrAndLeavesStdoutAlone) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  warning("disk {} is {} % full", "sda", 93);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("disk sda is 93 % full"));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(Log, KeepsBelowItsLevelToItself) {
  set_level(Level::error);
  testing::internal::CaptureStderr();
  warning("not worth it");
  error("worth it");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("not worth it"), std::string::npos);
  EXPECT_NE(text.find("worth it"), std::string::npos);
}

TEST_F(Log, KnowsWhatIsEnabled) {
  set_level(Level::info);
  EXPECT_TRUE(enabled(Level::info));
  EXPECT_FALSE(enabled(Level::debug));
}

}  // namespace
}  // namespace lab::log
