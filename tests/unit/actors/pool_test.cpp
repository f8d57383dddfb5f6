// Who dies is started again; the counts say who died of what.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "actors/actor_pool.h"
#include "actors/crash_points.h"
#include "core/result.h"
#include "core/stop.h"
#include "support.h"

namespace lab::actors {
namespace {

using test::eventually;

class Pool : public ::testing::Test {
 protected:
  PoolOptions walkers(std::vector<std::vector<Death>> deaths) {
    PoolOptions options{.role = "walker", .actors = 2, .program = LAB_ACTOR_ROLES};
    options.deaths = std::move(deaths);
    options.orders = [this](std::size_t, std::size_t, const Death* death) {
      const std::string file = (folder / "points").string();
      if (!death || death->point.empty()) return file + " - 0 0";
      return file + " " + death->point + " " + std::to_string(death->passing) + " 0";
    };
    return options;
  }

  PoolOptions with_role(std::string role, std::string orders = {}) {
    PoolOptions options{.role = std::move(role), .actors = 2, .program = LAB_ACTOR_ROLES};
    options.orders = [orders](std::size_t, std::size_t, const Death*) { return orders; };
    return options;
  }

  test::TestFolder folder;
};

TEST_F(Pool, ThePlanIsCarriedOutAndTheDeadAreStartedAgain) {
  CrashPoints points(folder / "points", {"before", "after"});
  auto options = walkers({{{.point = "before", .passing = 3}, {.after = 5ms}, {.point = "after"}},
                          {{.after = 1ms}, {.point = "after", .passing = 2}}});
  options.points = &points;
  ActorPool pool(options);
  ASSERT_TRUE(eventually(20s, [&] { return pool.counts().started == 7; }));
  const auto counts = pool.counts();
  EXPECT_EQ(counts.killed_at_points, 3u);
  EXPECT_EQ(counts.killed_at_random, 2u);
  EXPECT_EQ(counts.died_unplanned, 0u);
  EXPECT_EQ(counts.failed, 0u);
  EXPECT_EQ(points.counts()[0].hits, 1u);
  EXPECT_EQ(points.counts()[1].hits, 2u);
  const auto deaths = pool.deaths();
  ASSERT_EQ(deaths.size(), 5u);
  for (std::size_t i = 1; i < deaths.size(); ++i) EXPECT_LE(deaths[i - 1].at, deaths[i].at);
  EXPECT_EQ(pool.problem(), "");
}

TEST_F(Pool, WhoDiesElsewhereDoesNotDieAsPlanned) {
  CrashPoints points(folder / "points", {"before", "after"});
  PoolOptions options = walkers({{{.point = "after"}}});
  options.actors = 1;
  options.points = &points;
  options.orders = [file = (folder / "points").string()](auto, std::size_t life,
                                                         const Death* death) {
    return file + (death ? " after 1 0" : " - 0 0") + (life == 0 ? " poison" : "");
  };
  ActorPool pool(options);
  ASSERT_TRUE(eventually(20s, [&] { return pool.counts().started == 3; }));
  EXPECT_EQ(pool.counts().died_unplanned, 1u);
  EXPECT_EQ(pool.counts().killed_at_points, 1u);
  EXPECT_EQ(points.counts()[1].hits, 1u);
  ASSERT_EQ(pool.deaths().size(), 2u);
  EXPECT_EQ(pool.deaths()[0].point, "");
  EXPECT_EQ(pool.deaths()[1].point, "after");
}

TEST_F(Pool, AKillBeyondThePlanTakesNobodysPlace) {
  CrashPoints points(folder / "points", {"before", "after"});
  PoolOptions options = walkers({{{.after = 1h}, {.point = "after"}}});
  options.actors = 1;
  options.points = &points;
  ActorPool pool(options);
  pool.kill(0);
  ASSERT_TRUE(eventually(20s, [&] { return pool.counts().started == 2; }));
  EXPECT_EQ(pool.counts().killed_at_random, 1u);
  const auto passed = points.counts()[1].passed;
  EXPECT_TRUE(eventually(20s, [&] { return points.counts()[1].passed > passed + 2; }));
  EXPECT_EQ(points.counts()[1].hits, 0u) << "its second death is not due yet";
}

TEST_F(Pool, OneThatIsKilledBeyondThePlanIsStartedAgain) {
  ActorPool pool(with_role("sleep"));
  pool.kill(1);
  EXPECT_TRUE(eventually(10s, [&] { return pool.counts().started == 3; }));
  EXPECT_EQ(pool.counts().killed_at_random, 1u);
  EXPECT_EQ(pool.deaths().at(0).actor, 1u);
}

TEST_F(Pool, WhoFinishesIsNotStartedAgain) {
  ActorPool pool(with_role("exit", "0"));
  EXPECT_TRUE(pool.wait_until_finished(10s));
  EXPECT_EQ(pool.counts().started, 2u);
  EXPECT_EQ(pool.counts().finished, 2u);
}

TEST_F(Pool, WhoFailsIsNotStartedAgainAndItIsToldWhy) {
  ActorPool pool(with_role("exit", "3"));
  EXPECT_TRUE(pool.wait_until_finished(10s));
  EXPECT_EQ(pool.counts().failed, 2u);
  EXPECT_TRUE(pool.problem().ends_with("exited with status 3")) << pool.problem();
}

TEST_F(Pool, WaitingForWhoNeverFinishesTimesOut) {
  ActorPool pool(with_role("sleep"));
  EXPECT_FALSE(pool.wait_until_finished(20ms));
}

TEST_F(Pool, TerminateLetsThemFinish) {
  PoolOptions options = with_role("patient");
  std::atomic<int> starts{0};
  options.orders = [&](std::size_t, std::size_t, const Death*) {
    ++starts;
    return std::string();
  };
  ActorPool pool(options);
  // One that has not yet installed its handler is ended by the signal, which is an end too.
  EXPECT_TRUE(pool.terminate(10s));
  EXPECT_EQ(starts, 2);
  EXPECT_EQ(pool.counts().failed, 0u);
  EXPECT_EQ(pool.counts().died_unplanned, 0u);
}

TEST_F(Pool, WhoHasJustBeenStartedIsAskedToFinishToo) {
  handle_stop_signals();  // as a run does: its own handler must not swallow what is meant for a newborn actor
  for (int round = 0; round < 50; ++round) {
    ActorPool pool(with_role("patient"));
    EXPECT_TRUE(pool.terminate(10s));
  }
}

TEST_F(Pool, WhoDoesNotFinishIsKilled) {
  ActorPool pool(with_role("sleep"));
  pool.pause(0);  // a stopped process does not act on SIGTERM
  EXPECT_FALSE(pool.terminate(50ms));
  EXPECT_TRUE(pool.wait_until_finished(Nanos{}));
}

TEST_F(Pool, AProgramThatIsNotThereIsAFailure) {
  PoolOptions options = with_role("sleep", std::string(1'000'000, 'x'));
  options.program = "/nowhere";
  EXPECT_THROW(ActorPool{options}, Failure);
  const auto descriptors = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  const auto before = descriptors();
  EXPECT_THROW(ActorPool{options}, Failure);
  EXPECT_EQ(descriptors(), before) << "nothing is left open";
}

}  // namespace
}  // namespace lab::actors
