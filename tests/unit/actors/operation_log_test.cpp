// A client's history survives its death, torn tail and all.
#include "actors/operation_log.h"

#include <gtest/gtest.h>

#include <fstream>

#include "actors/actor.h"
#include "core/result.h"
#include "support.h"

namespace lab::actors {
namespace {

using harness::Operation;
using harness::Outcome;

Operation order(std::int64_t key) {
  Operation operation;
  operation.key = key;
  operation.aux = 7;
  operation.client = 5;
  operation.kind = 2;
  return operation;
}

Operation answered(Operation operation, std::int64_t value, Outcome outcome) {
  operation.value = value;
  operation.outcome = outcome;
  return operation;
}

class History : public ::testing::Test {
 protected:
  std::vector<Operation> read() const { return read_operations(file, zero, now() - zero); }

  test::TestFolder folder;
  std::filesystem::path file = folder / "client-5";
  Instant zero = now();
};

TEST_F(History, AnswersAndTimesComeBack) {
  OperationLog log(file);
  log.invoked(order(1));
  log.returned(answered(order(1), 11, Outcome::ok));
  log.invoked(order(2));
  log.returned(answered(order(2), 0, Outcome::fail));
  const auto operations = read();
  ASSERT_EQ(operations.size(), 2u);
  const Operation& first = operations[0];
  EXPECT_EQ(first.key, 1);
  EXPECT_EQ(first.value, 11);
  EXPECT_EQ(first.aux, 7);
  EXPECT_EQ(first.client, 5u);
  EXPECT_EQ(first.kind, 2);
  EXPECT_EQ(first.outcome, Outcome::ok);
  EXPECT_GT(first.invoked, Nanos{});
  EXPECT_EQ(first.planned, first.invoked);
  EXPECT_LE(first.invoked, first.returned);
  EXPECT_LE(first.returned, operations[1].invoked);
  EXPECT_EQ(operations[1].outcome, Outcome::fail);
}

TEST_F(History, WithoutAnAnswerItMayHaveHappened) {
  {
    OperationLog log(file);
    log.invoked(order(1));
  }
  OperationLog next_life(file);
  next_life.invoked(order(2));
  next_life.returned(answered(order(2), 22, Outcome::ok));
  next_life.invoked(order(3));
  const auto operations = read_operations(file, zero, 1h);
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_EQ(operations[0].outcome, Outcome::info);
  EXPECT_EQ(operations[0].returned, 1h);
  EXPECT_EQ(operations[1].outcome, Outcome::ok);
  EXPECT_EQ(operations[2].outcome, Outcome::info);
}

TEST_F(History, ATornTailIsPassedOverAndMended) {
  {
    OperationLog log(file);
    log.invoked(order(1));
    log.returned(answered(order(1), 11, Outcome::ok));
    log.invoked(order(2));
  }
  const auto whole = std::filesystem::file_size(file);
  for (auto size = whole - 1; size > whole * 2 / 3; --size) {
    std::filesystem::resize_file(file, size);
    EXPECT_EQ(read().size(), 1u);
  }
  OperationLog next_life(file);
  next_life.invoked(order(3));
  const auto operations = read();
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_EQ(operations[1].key, 3);
}

TEST_F(History, AFileThatIsNotThereHoldsNothing) {
  EXPECT_TRUE(read().empty());
}

TEST_F(History, DamageIsNotTakenForAHistory) {
  { OperationLog(file).invoked(order(1)); }
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(9).put('x');
  EXPECT_THROW(read(), Failure);
}

TEST_F(History, AFolderThatIsNotThereIsAFailure) {
  EXPECT_THROW(OperationLog(folder / "nowhere/log"), Failure);
}

TEST_F(History, SurvivesKillMinusNineAtAnyMoment) {
  for (int round = 0; round < 20; ++round) {
    const auto log = folder / ("writer-" + std::to_string(round));
    Actor writer({.role = "writer", .orders = log.string(), .program = LAB_ACTOR_ROLES});
    ASSERT_TRUE(writer.next_line(10s));
    ASSERT_TRUE(test::eventually(10s, [&] {
      return std::filesystem::file_size(log) > 1000u * static_cast<unsigned>(round);
    }));
    writer.kill();
    const auto operations = read_operations(log, zero, now() - zero);
    for (std::size_t i = 0; i < operations.size(); ++i) {
      EXPECT_EQ(operations[i].key, static_cast<std::int64_t>(i) + 1);
      const bool last = i + 1 == operations.size();
      if (operations[i].outcome == Outcome::ok) {
        EXPECT_EQ(operations[i].value, operations[i].key * 10);
      } else {
        EXPECT_TRUE(last && operations[i].outcome == Outcome::info);
      }
    }
  }
}

}  // namespace
}  // namespace lab::actors
