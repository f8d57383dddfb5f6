#include "core/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace lab {
namespace {

const std::vector<std::string> kCommands{"list", "doctor", "run", "profile", "test", "docs"};

TEST(Nearest, FindsATypingMistake) {
  EXPECT_EQ(nearest("lst", kCommands), "list");
  EXPECT_EQ(nearest("profiel", kCommands), "profile");
  EXPECT_EQ(nearest("docotr", kCommands), "doctor");
  EXPECT_EQ(nearest("run", kCommands), "run");
}

TEST(Nearest, ASwappedPairCountsOnce) {
  EXPECT_EQ(nearest("rnu", kCommands), "run");
}

TEST(Nearest, IsEmptyWhenNoneIsNear) {
  EXPECT_EQ(nearest("kubernetes", kCommands), "");
  EXPECT_EQ(nearest("", kCommands), "");
  EXPECT_EQ(nearest("run", {}), "");
}

TEST(WithThousands, GroupsByThree) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(12345678), "12,345,678");
  EXPECT_EQ(with_thousands(-12345), "-12,345");
}

TEST(WithThousands, ReachesTheLimits) {
  EXPECT_EQ(with_thousands(std::numeric_limits<long long>::max()), "9,223,372,036,854,775,807");
  EXPECT_EQ(with_thousands(std::numeric_limits<long long>::min()), "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace lab
