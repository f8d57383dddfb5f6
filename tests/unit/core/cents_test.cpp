#include "core/cents.h"

#include <gtest/gtest.h>

#include <limits>

namespace lab {
namespace {

constexpr Cents kMost{std::numeric_limits<std::int64_t>::max()};
constexpr Cents kLeast{std::numeric_limits<std::int64_t>::min()};

TEST(Cents, AddSubtractAndMultiplyExactly) {
  EXPECT_EQ(Cents{1999} + Cents{1}, Cents{2000});
  EXPECT_EQ(Cents{5} - Cents{7}, Cents{-2});
  EXPECT_EQ(Cents{1999} * 3, Cents{5997});
}

TEST(Cents, CompareByAmount) {
  EXPECT_LT(Cents{-1}, Cents{0});
  EXPECT_GT(kMost, kLeast);
}

TEST(Cents, ReachTheLimitsWithoutComplaint) {
  EXPECT_EQ(kMost - Cents{1} + Cents{1}, kMost);
  EXPECT_EQ(kLeast + Cents{1} - Cents{1}, kLeast);
}

TEST(Cents, ThrowRatherThanWrap) {
  EXPECT_THROW(kMost + Cents{1}, std::overflow_error);
  EXPECT_THROW(kLeast - Cents{1}, std::overflow_error);
  EXPECT_THROW(kMost * 2, std::overflow_error);
  EXPECT_THROW(kLeast * -1, std::overflow_error);
}

}  // namespace
}  // namespace lab
