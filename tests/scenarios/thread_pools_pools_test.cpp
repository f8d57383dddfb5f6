// The pools themselves, inside this process, where a sanitizer sees their threads meet. oneTBB's come without instrumentation, so
// ThreadSanitizer would report what is not there: they are left out under it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <latch>
#include <mutex>
#include <thread>

#include "checks.h"
#include "core/result.h"
#include "core_wait.h"
#include "desk.h"
#include "hashing.h"
#include "scripts.h"
#include "variants/inline_call.h"
#include "variants/mutex_queue_pool.h"

namespace thread_pools {
namespace {

using lab::harness::Verdict;
using namespace std::chrono_literals;

constexpr bool under_thread_sanitizer() {
#ifdef __SANITIZE_THREAD__
  return true;
#else
  return false;
#endif
}

/// Those that promise everything.
std::vector<std::string> good_pools() {
  std::vector<std::string> names;
  for (const char* name :
       {"mutex_queue_pool", "asio_thread_pool", "tbb_arena", "tbb_flow", "stealing_pool"}) {
    if (recipe_of(name).instrumented || !under_thread_sanitizer()) names.emplace_back(name);
  }
  return names;
}

Task task(std::function<void()> work) {
  return Task(std::move(work), [](std::exception_ptr) {});
}

class GoodPool : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Pool> make(std::size_t workers, std::size_t limit) {
    return recipe_of(GetParam()).make({.workers = workers, .queue_limit = limit});
  }
};
INSTANTIATE_TEST_SUITE_P(Pools, GoodPool, testing::ValuesIn(good_pools()),
                         [](const auto& pool) { return pool.param; });

TEST_P(GoodPool, PlaysEveryScriptAsPromised) {
  Evidence evidence{.variant = GetParam(), .fault = kThrowing, .scripts = {}};
  for (const auto& script : scripts()) {
    Orders orders{.variant = GetParam(), .script = script, .fault = kThrowing};
    orders.size = {.workers = script == kNested ? 1U : 3U, .queue_limit = 8};
    orders.wake_ups = 50;
    orders.logins = 60;
    orders.patience = 20s;
    evidence.scripts.push_back(play(orders, recipe_of(GetParam()), [](const ScriptEvidence& hung) {
      std::fprintf(stderr, "hung: %s\n", hung.stuck->waits.c_str());
      std::abort();
    }));
  }
  for (const auto& check : checks()) {
    const auto result = check.judge(evidence);
    ASSERT_TRUE(result) << check.name;
    EXPECT_NE(result->verdict, Verdict::violated) << check.name << ": " << result->witness;
  }
}

TEST_P(GoodPool, RunsWhatManyThreadsSubmit) {
  constexpr std::size_t kThreads = 4, kEach = 2'000;
  const auto pool = make(2, kThreads * kEach);
  std::atomic<std::size_t> ran{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (std::size_t n = 0; n < kEach; ++n)
          EXPECT_EQ(pool->submit(task([&ran] { ++ran; })), Submitted::accepted);
      });
    }
  }
  EXPECT_TRUE(pool->shutdown(Shutdown::drain).empty());
  EXPECT_EQ(ran, kThreads * kEach);
}

TEST_P(GoodPool, ARejectedTaskStaysWithItsOwner) {
  const auto pool = make(1, 1);
  std::latch door(1);
  std::atomic<std::size_t> ran{0};
  std::size_t accepted = 0;
  Task last;
  do {
    last = task([&] {
      door.wait();
      ++ran;
    });
  } while (pool->submit(std::move(last)) == Submitted::accepted && ++accepted < 10);
  EXPECT_LE(accepted, 2U);
  ASSERT_TRUE(last);
  door.count_down();
  (void)pool->shutdown(Shutdown::drain);
  EXPECT_EQ(ran, accepted);
  run_safely(last);
  EXPECT_EQ(ran, accepted + 1);
}

TEST_P(GoodPool, GivesBackWhatHasNotBegun) {
  const auto pool = make(1, 1'000'000);
  std::latch begun(1), door(1);
  ASSERT_EQ(pool->submit(task([&] {
    begun.count_down();
    door.wait();
  })),
            Submitted::accepted);
  begun.wait();
  std::atomic<std::size_t> ran{0};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pool->submit(task([&ran] { ++ran; })), Submitted::accepted);
  std::jthread opener([&] {
    // With so much room the pool turns away only when it is closing: then the door opens.
    while (pool->submit(task([] {})) == Submitted::accepted) std::this_thread::yield();
    door.count_down();
  });
  const auto left = pool->shutdown(Shutdown::give_back);
  opener.join();
  EXPECT_GE(left.size() + ran, 5U);
  EXPECT_GE(left.size(), 1U);
}

/// Its workers take half of what waits, and what one has taken no other gets: Desks without the thief.
class HoardingPool : public Pool {
 public:
  explicit HoardingPool(PoolSize size) : limit_(size.queue_limit) {
    for (std::size_t i = 0; i < size.workers; ++i) workers_.emplace_back([this] { work(); });
  }
  Submitted submit(Task&& task) override {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() >= limit_) return Submitted::rejected;
      queue_.push_back(std::move(task));
    }
    bell_.notify_one();
    return Submitted::accepted;
  }
  void run_and_wait(Task child) override { run_safely(child); }
  std::vector<Task> shutdown(Shutdown) override { return {}; }  // nobody comes so far
  std::size_t waiting() const override { return 0; }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      bell_.wait(lock, [this] { return !queue_.empty(); });
      std::vector<Task> taken;
      for (std::size_t take = (queue_.size() + 1) / 2; take > 0; --take) {
        taken.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      lock.unlock();
      for (auto& task : taken) run_safely(task);
      lock.lock();
    }
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable bell_;
  std::deque<Task> queue_;  // guarded by mutex_
  std::vector<std::thread> workers_;
};

TEST(NoLostWakeUp, WhatStandsBehindABlockedTaskIsSeenToWait) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto play_and_judge = [] {
    const Recipe hoarding{.variant = "hoarding_pool", .make = [](PoolSize size) {
                            return std::make_unique<HoardingPool>(size);
                          }};
    Orders orders{.variant = hoarding.variant, .script = kBehind, .fault = kNone};
    orders.size = {.workers = 2, .queue_limit = 16};
    orders.patience = 300ms;
    (void)play(orders, hoarding, [](const ScriptEvidence& hung) {
      const Evidence evidence{.variant = "hoarding_pool", .fault = kNone, .scripts = {hung}};
      for (const auto& check : checks()) {
        if (check.name != kNoLostWakeUp) continue;
        const auto result = check.judge(evidence);
        std::fprintf(stderr, "%s\n", result->witness.c_str());
        ::_exit(result->verdict == Verdict::violated ? 7 : 8);
      }
      ::_exit(9);
    });
    ::_exit(0);
  };
  EXPECT_EXIT(play_and_judge(), testing::ExitedWithCode(7), "behind-a-blocked-task.*1 tasks run");
}

template <class Kind>
lab::harness::CheckResult storm_through(const char* variant, std::size_t logins) {
  const Recipe recipe{.variant = variant,
                      .make = [](PoolSize size) { return std::make_unique<Kind>(size); }};
  Orders orders{.variant = variant, .script = kLogins, .fault = kBurst};
  orders.size = {.workers = 2, .queue_limit = 16};
  orders.logins = logins;
  orders.patience = 20s;
  const Evidence evidence{.variant = variant,
                          .fault = kBurst,
                          .scripts = {play(orders, recipe, [](const ScriptEvidence& hung) {
                            std::fprintf(stderr, "hung: %s\n", hung.stuck->waits.c_str());
                            std::abort();
                          })}};
  for (const auto& check : checks()) {
    if (check.name == kNotFrozen)
      return check.judge(evidence).value_or(lab::harness::CheckResult{});
  }
  throw std::logic_error("no such check");
}

/// Makes its own excuse: now and then three hashes on the loop's thread, and every core busy meanwhile, so that whoever is to be
/// woken is woken late, and a hash that is timed takes longer.
class HoggingPool : public InlineCall {
 public:
  explicit HoggingPool(PoolSize size) : InlineCall(size) {
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
      hogs_.emplace_back([](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
        }
      });
  }
  Submitted submit(Task&& task) override {
    if (asked_++ % 100 >= 3) return Submitted::rejected;
    return InlineCall::submit(std::move(task));
  }

 private:
  std::size_t asked_ = 0;
  std::vector<std::jthread> hogs_;  // last
};

/// Lets whoever comes to a full queue wait until there is room.
class WaitingRoom : public MutexQueuePool {
 public:
  using MutexQueuePool::MutexQueuePool;
  Submitted submit(Task&& task) override {
    while (MutexQueuePool::submit(std::move(task)) == Submitted::rejected)
      std::this_thread::sleep_for(1ms);
    return Submitted::accepted;
  }
};

TEST(NotFrozen, BusyCoresDoNotExcuseALoopThatHashes) {
  const auto result = storm_through<HoggingPool>("hogging_pool", 40);
  EXPECT_EQ(result.verdict, Verdict::violated) << result.witness;
}

TEST(NotFrozen, ALoopThatIsMadeToWaitIsFrozenToo) {
  const auto result = storm_through<WaitingRoom>("waiting_room", 200);
  EXPECT_EQ(result.verdict, Verdict::violated) << result.witness;
}

TEST(CoreWaitTest, TheKernelTellsComputingFromWaiting) {
  const CoreWait::Counts before = CoreWait::of_this_thread();
  CoreWait::Counts after = before;
  while (after.computed - before.computed < 5ms) after = CoreWait::of_this_thread();
  std::this_thread::sleep_for(20ms);
  const CoreWait::Counts slept = CoreWait::of_this_thread();
  EXPECT_GT(slept.waits, after.waits);
  EXPECT_LT(slept.computed - after.computed, 20ms);
}

TEST(TaskTest, ThrowsToItsOwner) {
  std::exception_ptr thrown;
  Task throwing([] { throw std::runtime_error("no"); },
                [&thrown](std::exception_ptr e) { thrown = std::move(e); });
  Task moved = std::move(throwing);
  EXPECT_FALSE(throwing);
  run_safely(moved);
  EXPECT_THROW(std::rethrow_exception(thrown), std::runtime_error);
}

TEST(TaskTest, DestroysWhatItCarriesOnce) {
  const auto carried = std::make_shared<int>(1);
  {
    Task first([carried] {}, [](std::exception_ptr) {});
    Task second = std::move(first);
    Task third([] {}, [](std::exception_ptr) {});
    third = std::move(second);
    EXPECT_EQ(carried.use_count(), 2);
  }
  EXPECT_EQ(carried.use_count(), 1);
}

TEST(TaskTest, OneThatNeverRanBreaksItsPromise) {
  std::future<int> answer;
  {
    auto [unrun, future] = with_future([] { return 1; });
    answer = std::move(future);
  }
  EXPECT_THROW(answer.get(), std::future_error);
}

TEST(DesksTest, AShareOfTheQueueThenHalfOfANeighboursDesk) {
  Desks desks(2);
  for (int i = 0; i < 8; ++i) desks.add(task([] {}));
  EXPECT_TRUE(desks.fill(desks.of(0)));
  EXPECT_EQ(desks.of(0).size(), 4U);
  EXPECT_EQ(desks.take_all().size(), 8U);
  EXPECT_FALSE(desks.fill(desks.of(0)));

  desks.add(task([] {}));
  desks.add(task([] {}));
  desks.add(task([] {}));
  EXPECT_TRUE(desks.fill(desks.of(0)));  // two of three
  EXPECT_TRUE(desks.fill(desks.of(0)));  // and the last
  EXPECT_EQ(desks.of(0).size(), 3U);
  EXPECT_TRUE(desks.fill(desks.of(1)));  // the queue is empty: stolen
  EXPECT_EQ(desks.of(1).size(), 2U);
  EXPECT_TRUE(desks.holds(3));
  EXPECT_FALSE(desks.holds(4));
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

TEST(Hashing, IsTheSameEachTimeAndDependsOnEverything) {
  const HashCost cheap{.kind = HashKind::argon2id, .passes = 1, .memory_kib = 64};
  const HashCost dearer{.kind = HashKind::argon2id, .passes = 2, .memory_kib = 64};
  const HashCost other{.kind = HashKind::pbkdf2, .passes = 10};
  for (const auto& cost : {cheap, dearer, other}) {
    EXPECT_EQ(hash_password("a", 1, cost), hash_password("a", 1, cost));
    EXPECT_NE(hash_password("a", 1, cost), hash_password("b", 1, cost));
    EXPECT_NE(hash_password("a", 1, cost), hash_password("a", 2, cost));
    EXPECT_EQ(hash_password("a", 1, cost).size(), 32U);
  }
  EXPECT_NE(hex(hash_password("a", 1, cheap)), hex(hash_password("a", 1, dearer)));
}

TEST(Hashing, ARefusedCostThrows) {
  EXPECT_THROW(hash_password("a", 1, {.kind = HashKind::argon2id, .passes = 1, .memory_kib = 0}),
               lab::Failure);
}

}  // namespace
}  // namespace thread_pools
