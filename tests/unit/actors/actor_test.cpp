// An actor gets its orders, obeys signals, and never outlives its run.
#include "actors/actor.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>
#include <thread>

#include "actors/role.h"
#include "support.h"

namespace lab::actors {
namespace {

using test::eventually;
using test::is_gone;

ActorOptions role(std::string name, std::string orders = {}) {
  return {.role = std::move(name), .orders = std::move(orders), .program = LAB_ACTOR_ROLES};
}

TEST(Actor, OrdersOfAnySizeArriveWhole) {
  for (const std::size_t size : {0u, 1u, 4096u, 65'536u, 5'000'000u}) {
    std::string orders(size, 'x');
    if (size > 0) orders.back() = '!';
    Actor actor(role("echo", orders));
    const auto line = actor.next_line(10s);
    ASSERT_TRUE(line) << describe(line.error());
    EXPECT_EQ(*line, std::to_string(size) + (size > 0 ? "!" : "-"));
    EXPECT_EQ(actor.wait(10s)->status, 0);
  }
}

TEST(Actor, OrdersAreNotOnTheCommandLine) {
  EXPECT_EQ(role_of(2, std::array{"program", "--role=client"}.data()), "client");
  EXPECT_EQ(role_of(2, std::array{"program", "--quick"}.data()), "");
  EXPECT_EQ(role_of(3, std::array{"program", "--role=client", "--quick"}.data()), "");
}

TEST(Actor, ItsExitStatusIsToldAsOftenAsItIsAsked) {
  Actor actor(role("exit", "3"));
  for (int i = 0; i < 3; ++i) {
    const auto ending = actor.wait(10s);
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->status, 3);
    EXPECT_FALSE(ending->killed());
  }
  actor.kill();  // nothing happens
  EXPECT_EQ(describe(*actor.wait(Nanos{})), "exited with status 3");
}

TEST(Actor, AKilledOneIsReapedWhenKillReturns) {
  Actor actor(role("sleep"));
  ASSERT_TRUE(actor.next_line(10s));
  EXPECT_FALSE(actor.wait(Nanos{}));
  actor.kill();
  EXPECT_NE(::kill(actor.pid(), 0), 0);
  EXPECT_EQ(actor.wait(Nanos{})->signal, SIGKILL);
  EXPECT_EQ(actor.next_line(Nanos{}).error().code, ErrorCode::closed);
}

TEST(Actor, APausedOneStandsStillUntilItIsResumed) {
  test::TestFolder folder;
  Actor actor(role("writer", (folder / "log").string()));
  ASSERT_TRUE(actor.next_line(10s));
  actor.pause();
  const auto size = std::filesystem::file_size(folder / "log");
  EXPECT_FALSE(actor.wait(20ms));
  EXPECT_EQ(std::filesystem::file_size(folder / "log"), size);
  actor.resume();
  EXPECT_TRUE(eventually(10s, [&] { return std::filesystem::file_size(folder / "log") > size; }));
  actor.pause();
  actor.kill();  // also while it stands still
  EXPECT_TRUE(actor.wait(Nanos{})->killed());
}

TEST(Actor, TerminateAsksItToFinish) {
  Actor actor(role("patient"));
  ASSERT_TRUE(actor.next_line(10s));
  actor.terminate();
  const auto ending = actor.wait(10s);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->status, 0);
  EXPECT_FALSE(ending->killed());
}

TEST(Actor, ATestThatWaitsForNothingTimesOut) {
  Actor actor(role("sleep"));
  ASSERT_TRUE(actor.next_line(10s));
  EXPECT_EQ(actor.next_line(1ms).error().code, ErrorCode::timeout);
}

TEST(Actor, RunsWhereItIsPlaced) {
  ActorOptions options = role("cpus");
  options.cpus = {0};
  Actor actor(options);
  EXPECT_EQ(*actor.next_line(10s), "1");
  EXPECT_TRUE(actor.place({0}));
  EXPECT_EQ(actor.place({1000}).error().code, ErrorCode::invalid);
  actor.kill();
  EXPECT_EQ(actor.place({0}).error().code, ErrorCode::not_found);
}

TEST(Actor, OutlivesTheThreadThatStartedIt) {
  std::unique_ptr<Actor> actor;
  std::thread([&] { actor = std::make_unique<Actor>(role("sleep")); }).join();
  ASSERT_TRUE(actor->next_line(10s));
  EXPECT_FALSE(actor->wait(20ms));
}

TEST(Actor, ManyThreadsMayStartActorsAtOnce) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (int k = 0; k < 3; ++k) EXPECT_EQ(Actor(role("exit", "0")).wait(10s)->status, 0);
    });
  }
}

TEST(Actor, AProgramThatIsNotThereIsAFailure) {
  ActorOptions options = role("sleep", std::string(1'000'000, 'x'));
  options.program = "/nowhere";
  EXPECT_THROW(Actor{options}, Failure);
}

TEST(Actor, NoActorOutlivesARunThatIsKilled) {
  for (int round = 0; round < 5; ++round) {
    Actor run(role("run"));
    const auto line = run.next_line(10s);
    ASSERT_TRUE(line) << describe(line.error());
    std::istringstream pids(*line);
    std::vector<pid_t> sleepers;
    for (pid_t pid = 0; pids >> pid;) sleepers.push_back(pid);
    ASSERT_EQ(sleepers.size(), 3u);
    for (const pid_t pid : sleepers) EXPECT_FALSE(is_gone(pid));
    run.kill();
    for (const pid_t pid : sleepers) EXPECT_TRUE(eventually(10s, [&] { return is_gone(pid); }));
  }
}

}  // namespace
}  // namespace lab::actors
