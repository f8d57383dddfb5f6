#include "faults/plan.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>

namespace lab::faults {
namespace {

/// Writes down what is done, in order.
class Diary {
 public:
  Fault fault(const std::string& name, Nanos at, Nanos duration) {
    return {name, "server", at, duration, entry("begin " + name), entry("end " + name)};
  }
  std::function<Result<void>()> entry(const std::string& text) {
    return [this, text]() -> Result<void> {
      const std::lock_guard lock(mutex_);
      entries_.push_back(text);
      return {};
    };
  }
  std::vector<std::string> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> entries_;
};

using Strings = std::vector<std::string>;

TEST(FaultPlan, CarriesOutFaultsInTheOrderOfTheirTimes) {
  Diary diary;
  FaultPlan plan({diary.fault("late", 20ms, 5ms), diary.fault("early", 5ms, 5ms)});
  plan.start(now());
  const auto records = plan.finish();
  EXPECT_EQ(diary.entries(), (Strings{"begin early", "end early", "begin late", "end late"}));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].name, "early");
  EXPECT_EQ(records[0].target, "server");
  EXPECT_GE(records[0].began, 5ms);
  EXPECT_GE(records[0].ended - records[0].began, 5ms);
  EXPECT_GE(records[1].began, 20ms);
  EXPECT_EQ(records[0].error + records[1].error, "");
}

TEST(FaultPlan, FaultsMayOverlap) {
  Diary diary;
  FaultPlan plan({diary.fault("long", 0ms, 60ms), diary.fault("short", 10ms, 10ms)});
  plan.start(now());
  const auto records = plan.finish();
  EXPECT_EQ(diary.entries(), (Strings{"begin long", "begin short", "end short", "end long"}));
  EXPECT_LT(records[1].ended, records[0].ended);
}

TEST(FaultPlan, TheDurationCountsFromWhenTheFaultReallyBegan) {
  Diary diary;
  FaultPlan plan({diary.fault("overdue", 0ms, 10ms)});
  plan.start(now() - 1s);  // already a second late
  const auto records = plan.finish();
  EXPECT_GE(records.at(0).began, 1s);
  EXPECT_GE(records.at(0).ended - records.at(0).began, 10ms);
}

TEST(FaultPlan, AFaultIsInForceWhenItsBeginningIsComplete) {
  Instant complete{}, mended{};
  const auto note = [](Instant& when) {
    return [&when]() -> Result<void> {
      when = now();
      return {};
    };
  };
  const Instant zero = now();
  FaultPlan plan({{"outage", "server", 0ms, 5ms, note(complete), note(mended)}});
  plan.start(zero);
  const auto record = plan.finish().at(0);
  EXPECT_LE(record.began, complete - zero);
  EXPECT_GE(record.in_force, complete - zero);
  EXPECT_GE(mended - zero, record.in_force + 5ms);  // a slow beginning does not shorten it
}

TEST(FaultPlan, StopEndsWhatHasBegunAndSkipsTheRest) {
  Diary diary;
  std::promise<void> begun;
  FaultPlan plan({diary.fault("outage", 0ms, 1h), diary.fault("never", 2h, 1h)});
  plan.start(now(), [&](const FaultRecord&, bool ended) {
    if (!ended) begun.set_value();
  });
  begun.get_future().wait();
  const auto records = plan.stop();
  EXPECT_EQ(diary.entries(), (Strings{"begin outage", "end outage"}));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_LT(records[0].ended, 1h);
  EXPECT_EQ(plan.stop().size(), 1u) << "a second stop is harmless";
}

TEST(FaultPlan, TheDestructorEndsWhatHasBegun) {
  Diary diary;
  std::promise<void> begun;
  {
    FaultPlan plan({diary.fault("outage", 0ms, 1h)});
    plan.start(now(), [&](const FaultRecord&, bool ended) {
      if (!ended) begun.set_value();
    });
    begun.get_future().wait();
  }
  EXPECT_EQ(diary.entries(), (Strings{"begin outage", "end outage"}));
}

TEST(FaultPlan, TheObserverHearsOfBothEnds) {
  Diary diary;
  Strings heard;
  FaultPlan plan({diary.fault("outage", 0ms, 1ms)});
  plan.start(now(), [&](const FaultRecord& record, bool ended) {
    heard.push_back((ended ? "ended " : "began ") + record.name);
    EXPECT_EQ(record.ended != Nanos{0}, ended);
  });
  plan.finish();
  EXPECT_EQ(heard, (Strings{"began outage", "ended outage"}));
}

TEST(FaultPlan, ABeginningThatFailedIsEndedAtOnceAndReported) {
  Diary diary;
  auto fault = diary.fault("kill", 0ms, 1h);
  fault.begin = []() -> Result<void> {
    return Error{ErrorCode::unavailable, Happened::no, "no such server"};
  };
  FaultPlan plan({fault, diary.fault("next", 1ms, 1ms)});
  plan.start(now());
  const auto records = plan.finish();
  EXPECT_EQ(diary.entries(), (Strings{"end kill", "begin next", "end next"}));
  EXPECT_NE(records.at(0).error.find("no such server"), std::string::npos);
  EXPECT_EQ(records.at(1).error, "");
}

TEST(FaultPlan, AnExceptionIsReportedLikeAnError) {
  Diary diary;
  auto fault = diary.fault("kill", 0ms, 0ms);
  fault.end = []() -> Result<void> { throw Failure("the server did not come back"); };
  FaultPlan plan({fault});
  plan.start(now());
  EXPECT_EQ(plan.finish().at(0).error, "the server did not come back");
}

TEST(FaultPlan, NothingPlannedOrNothingStartedMeansNothingDone) {
  Diary diary;
  FaultPlan empty({});
  empty.start(now());
  EXPECT_TRUE(empty.finish().empty());
  FaultPlan never_started({diary.fault("outage", 0ms, 0ms)});
  EXPECT_TRUE(never_started.finish().empty());
  EXPECT_TRUE(diary.entries().empty());
}

}  // namespace
}  // namespace lab::faults
