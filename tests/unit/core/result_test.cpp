#include "core/result.h"

#include <gtest/gtest.h>

#include <set>

namespace lab {
namespace {

const Error kTimedOut{ErrorCode::timeout, Happened::unknown,
                      "GET product:7 got no answer within 50 ms"};

Result<int> half(int value) {
  if (value % 2 != 0) return Error{ErrorCode::invalid, Happened::no, "odd"};
  return value / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(*half(8), 4);
  ASSERT_FALSE(half(7));
  EXPECT_EQ(half(7).error().code, ErrorCode::invalid);
}

TEST(Result, AskedForAValueItDoesNotHaveThrowsTheError) {
  try {
    half(7).value();
    FAIL() << "no exception";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::invalid);
    EXPECT_STREQ(failure.what(), "odd");
  }
}

TEST(Error, SaysWhetherItMayHaveHappened) {
  EXPECT_EQ(describe(kTimedOut),
            "timeout (may have happened): GET product:7 got no answer within 50 ms");
  EXPECT_EQ(describe({ErrorCode::refused, Happened::no, "nobody listens"}),
            "refused (did not happen): nobody listens");
}

TEST(Failure, OfAMessageIsInternal) {
  EXPECT_EQ(Failure("broken invariant").error().code, ErrorCode::internal);
}

TEST(ErrorCode, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    names.insert(name(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::internal) + 1);
}

}  // namespace
}  // namespace lab
