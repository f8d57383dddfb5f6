#include "core/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "core/stop.h"

namespace lab {
namespace {

class Sleeping : public testing::Test {
 protected:
  ~Sleeping() override { clear_stop_request(); }
};

TEST_F(Sleeping, NeverEndsEarly) {
  for (const Nanos duration : {Nanos(0), Nanos(50us), Nanos(3ms), Nanos(45ms)}) {
    const Instant end = now() + duration;
    EXPECT_TRUE(sleep_until(end));
    EXPECT_GE(now(), end);
  }
}

TEST_F(Sleeping, UntilThePastReturnsAtOnce) {
  const Instant before = now();
  EXPECT_TRUE(sleep_until(before - 1h));
  EXPECT_LT(now() - before, 1s);
}

TEST_F(Sleeping, IsCutShortByAStop) {
  const Instant before = now();
  std::jthread stopper([] { request_stop(); });
  EXPECT_FALSE(sleep_for(1min));
  EXPECT_LT(now() - before, 10s);
}

TEST_F(Sleeping, AfterAStopDoesNotSleep) {
  request_stop();
  const Instant before = now();
  EXPECT_FALSE(sleep_for(1min));
  EXPECT_LT(now() - before, 10s);
}

using StopSignals = Sleeping;

TEST_F(StopSignals, AskForAStop) {
  handle_stop_signals();
  EXPECT_FALSE(stop_requested());
  raise(SIGINT);
  EXPECT_TRUE(stop_requested());
}

TEST_F(StopSignals, EndTheProcessTheSecondTime) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        handle_stop_signals();
        raise(SIGTERM);
        raise(SIGINT);
      },
      testing::ExitedWithCode(130), "");
}

TEST(Durations, ConvertWithoutLoss) {
  EXPECT_DOUBLE_EQ(milliseconds(1500us), 1.5);
  EXPECT_DOUBLE_EQ(microseconds(1500ns), 1.5);
  EXPECT_DOUBLE_EQ(seconds(250ms), 0.25);
}

TEST(Timestamps, AreUtcInTheirDocumentedForm) {
  EXPECT_THAT(utc_timestamp(),
              testing::MatchesRegex("[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z"));
  EXPECT_THAT(utc_compact(), testing::MatchesRegex("[0-9]{8}T[0-9]{6}Z"));
}

}  // namespace
}  // namespace lab
