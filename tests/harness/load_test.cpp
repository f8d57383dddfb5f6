// The load generator and the history it leaves.

#include "harness/load.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/stop.h"
#include "test_support.h"

namespace lab::harness {
namespace {

Operation nothing(std::uint32_t, Random&) {
  return {};
}

TEST(ClosedLoop, EveryClientWorksUntilTheEnd) {
  std::atomic<std::uint32_t> seen{0};
  const Instant zero = now();
  const History history = closed_loop(zero, {.clients = 4, .duration = 30ms, .seed = 1},
                                      [&](std::uint32_t client, Random&) {
                                        seen.fetch_or(1u << client);
                                        std::this_thread::yield();
                                        return Operation{};
                                      });
  EXPECT_EQ(seen.load(), 0b1111u);
  EXPECT_GE(now() - zero, 30ms);
  EXPECT_GT(history.size(), 4u);  // how many, the machine decides
  history.for_each([](const Operation& op) {
    EXPECT_LE(op.invoked, op.returned);
    EXPECT_EQ(op.planned, op.invoked);
    EXPECT_LT(op.invoked, Nanos(5s));
  });
}

TEST(ClosedLoop, AClientHasOneOperationAtATime) {
  const History history = closed_loop(now(), {.clients = 3, .duration = 10ms, .seed = 1}, nothing);
  std::vector<Nanos> last(3);
  for (const auto& op : history.sorted()) {
    EXPECT_GE(op.invoked, last[op.client]);
    last[op.client] = op.returned;
  }
}

TEST(ClosedLoop, TheSameSeedGivesEachClientTheSameDraws) {
  const auto first_draws = [](std::uint64_t seed) {
    std::vector<std::uint64_t> draws(4);
    std::vector<char> drawn(4);  // not bool: threads must not share a word
    closed_loop(now(), {.clients = 4, .duration = 5ms, .seed = seed},
                [&](std::uint32_t client, Random& random) {
                  const auto draw = random();
                  if (!drawn[client]) draws[client] = draw;
                  drawn[client] = true;
                  return Operation{};
                });
    return draws;
  };
  EXPECT_EQ(first_draws(7), first_draws(7));
  EXPECT_NE(first_draws(7), first_draws(8));
}

TEST(OpenLoop, KeepsThePlanAndItsRate) {
  const History history = open_loop(
      now(), {.operations_per_second = 2000, .in_flight = 4, .duration = 500ms, .seed = 3},
      nothing);
  // 1,000 Poisson arrivals are expected; five standard deviations are 158.
  EXPECT_NEAR(static_cast<double>(history.size()), 1000, 158);
  history.for_each([](const Operation& op) { EXPECT_GE(op.invoked, op.planned); });
}

TEST(OpenLoop, TheSameSeedPlansTheSameArrivals) {
  const auto plan = [](std::uint64_t seed) {
    std::vector<Nanos> planned;
    const Instant zero = now();
    const History history = open_loop(
        zero, {.operations_per_second = 1000, .in_flight = 2, .duration = 50ms, .seed = seed},
        nothing);
    for (const auto& op : history.sorted()) planned.push_back(op.planned);
    std::sort(planned.begin(), planned.end());
    const Nanos first = planned.front();
    for (auto& at : planned) at -= first;
    return planned;
  };
  const auto a = plan(7), b = plan(7), c = plan(8);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(OpenLoop, AStallIsNotHidden) {
  // One client, one call that hangs for 100 ms: everyone planned meanwhile waits, and latency from
  // the plan shows it.
  std::atomic<bool> first{true};
  const History history = open_loop(
      now(), {.operations_per_second = 1000, .in_flight = 1, .duration = 200ms, .seed = 1},
      [&](std::uint32_t, Random&) {
        if (first.exchange(false)) std::this_thread::sleep_for(100ms);
        return Operation{};
      });
  const auto from_plan = history.latencies([](const Operation&) { return true; });
  EXPECT_GT(from_plan.percentile(0.75), 20ms);  // about half were planned during the stall
  const auto long_calls = history.count([](const Operation& op) { return op.duration() > 50ms; });
  EXPECT_EQ(long_calls, 1u);  // a closed loop would have reported just this one
}

TEST(OpenLoop, WhatCannotStartInTimeFails) {
  const OpenLoad load{.operations_per_second = 1000,
                      .in_flight = 1,
                      .duration = 100ms,
                      .seed = 1,
                      .patience = 50ms};
  std::atomic<int> started{0};
  const History history = open_loop(now(), load, [&](std::uint32_t, Random&) {
    if (started++ == 0) std::this_thread::sleep_for(200ms);
    return Operation{};
  });
  EXPECT_EQ(started, 1);
  EXPECT_EQ(history.count([](const Operation& op) { return op.outcome == Outcome::fail; }),
            history.size() - 1);
}

TEST(Load, AStopRequestEndsBothLoopsEarly) {
  const Instant began = now();
  request_stop();
  closed_loop(now(), {.clients = 2, .duration = 20s, .seed = 1}, nothing);
  open_loop(now(), {.operations_per_second = 10, .in_flight = 2, .duration = 20s, .seed = 1},
            nothing);
  clear_stop_request();
  EXPECT_LT(now() - began, 2s);
}

TEST(Recording, CostsAFewNanoseconds) {
  // The figure is published, not asserted: here only that it is a figure.
  const double cost = recording_cost_ns();
  RecordProperty("recording_cost_ns", std::to_string(cost));
  std::printf("recording one operation costs %.0f ns\n", cost);
  EXPECT_GT(cost, 0);
}

TEST(HiccupMeter, SeesHowLateItWasWoken) {
  const Instant begin = now();
  const HiccupMeter meter;
  std::this_thread::sleep_for(20ms);
  const Instant end = now();
  EXPECT_GT(meter.worst(begin, end), Nanos{0});
  EXPECT_EQ(meter.worst(end + 1s, end + 2s), Nanos{0});
}

/// Two that never sleep on one core: each waits while the other runs.
TEST(WaitedForCore, CountsWhatAnotherThreadTakes) {
  const std::string told = test::text_of("/proc/thread-self/schedstat");
  if (told.empty() || told.starts_with("0 0")) GTEST_SKIP() << "the kernel does not tell";
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  int core = 0;
  while (!CPU_ISSET(core, &before)) ++core;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  {
    const std::jthread other(
        [](const std::stop_token& stop) {  // on the same core: it inherits that
          while (!stop.stop_requested()) {
          }
        });
    const Nanos waited = waited_for_core();
    const Instant limit = now() + 10s;
    while (waited_for_core() - waited < 5ms && now() < limit) {
    }
    EXPECT_GE(waited_for_core() - waited, 5ms);
  }
  sched_setaffinity(0, sizeof before, &before);
  const Nanos own = waited_for_core();
  std::jthread([own] { EXPECT_NE(waited_for_core(), own) << "each has a count of its own"; });
  EXPECT_GE(waited_for_core(::getpid()), 5ms) << "the first thread's, this one's";
  EXPECT_FALSE(waited_for_core(0)) << "nobody is process 0";
}

TEST(History, AppendMovesTimesToItsOwnZeroAndNumbersClientsOn) {
  const Instant zero = now();
  History a(zero, 1), b(zero + 10ms, 1);
  a.log(0).push_back({.planned = 1ms, .invoked = 1ms, .returned = 2ms});
  b.log(0).push_back({.planned = 1ms, .invoked = 1ms, .returned = 2ms});
  a.append(b);
  const auto all = a.sorted();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].invoked, Nanos(11ms));
  EXPECT_EQ(all[1].returned, Nanos(12ms));
  EXPECT_EQ(all[1].client, 1u);
}

TEST(Window, OverlapsWhatWasInFlight) {
  const Window window{10ms, 20ms};
  const auto overlaps = [&](Nanos from, Nanos to) {
    return window.overlaps({.invoked = from, .returned = to});
  };
  EXPECT_TRUE(overlaps(5ms, 11ms));
  EXPECT_TRUE(overlaps(5ms, 25ms));
  EXPECT_TRUE(overlaps(19ms, 25ms));
  EXPECT_FALSE(overlaps(1ms, 10ms));
  EXPECT_FALSE(overlaps(20ms, 25ms));
}

TEST(Outcome, AnErrorThatMayHaveHappenedIsInfo) {
  EXPECT_EQ(outcome_of(Error{ErrorCode::timeout, Happened::unknown, ""}), Outcome::info);
  EXPECT_EQ(outcome_of(Error{ErrorCode::refused, Happened::no, ""}), Outcome::fail);
}

}  // namespace
}  // namespace lab::harness
