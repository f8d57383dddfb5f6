// A process dies where it is told to, at the passing it is told, and the count outlives it.
#include "actors/crash_points.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "actors/actor.h"
#include "core/result.h"
#include "support.h"

namespace lab::actors {
namespace {

class Points : public ::testing::Test {
 protected:
  Actor walker(const std::string& orders) {
    return Actor(
        {.role = "walker", .orders = file.string() + " " + orders, .program = LAB_ACTOR_ROLES});
  }

  test::TestFolder folder;
  std::filesystem::path file = folder / "points";
  CrashPoints points{file, {"before", "after"}};
};

TEST_F(Points, TheNthPassingKills) {
  const auto ending = walker("after 5 0").wait(10s);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->signal, SIGKILL);
  const auto counts = points.counts();
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts[0].point, "before");
  EXPECT_EQ(counts[0].passed, 5u);
  EXPECT_EQ(counts[0].hits, 0u);
  EXPECT_EQ(counts[1].passed, 5u);
  EXPECT_EQ(counts[1].hits, 1u);
}

TEST_F(Points, CountsOfSeveralProcessesAddUp) {
  Actor first = walker("before 3 0"), second = walker("before 4 0");
  ASSERT_TRUE(first.wait(10s));
  ASSERT_TRUE(second.wait(10s));
  EXPECT_EQ(points.counts()[0].passed, 7u);
  EXPECT_EQ(points.counts()[0].hits, 2u);
}

TEST_F(Points, BeforeItsTimeNobodyDies) {
  Actor doomed = walker("before 1 300000");
  ASSERT_TRUE(doomed.next_line(10s));
  ASSERT_TRUE(test::eventually(10s, [&] { return points.counts()[0].passed > 10; }));
  EXPECT_FALSE(doomed.wait(Nanos{}));
}

TEST_F(Points, WithoutOrdersOrAtUnknownNamesNobodyDies) {
  points.pass("before");
  points.pass("somewhere else");
  EXPECT_EQ(points.counts()[0].passed, 1u);
  EXPECT_THROW(points.die_at("somewhere else"), Failure);
}

TEST_F(Points, AFileThatCannotBeMadeIsAFailure) {
  EXPECT_THROW(CrashPoints(folder / "nowhere/points", {"a"}), Failure);
}

}  // namespace
}  // namespace lab::actors
