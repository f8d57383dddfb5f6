// The checks of order_transactions on hand-written histories: each must hold, must break, and must be inconclusive or not
// apply.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checks.h"
#include "retry.h"

namespace order_transactions {
namespace {

using namespace std::chrono_literals;
using lab::harness::CheckResult;
using lab::harness::Operation;
using lab::harness::Outcome;
using lab::harness::Verdict;
using ::testing::HasSubstr;

constexpr std::int64_t kProduct = 1020;

/// Product 1020 has two pieces; nothing has been asked for yet.
class OrderChecks : public ::testing::Test {
 protected:
  OrderChecks() {
    evidence.history = lab::harness::History(lab::Instant{}, 4);
    evidence.initial[kProduct] = evidence.left[kProduct] = 2;
    evidence.watched.snapshots = 100;
  }

  /// A call as its client saw it. Answered with its own order where nothing else is said.
  Operation& call(std::uint32_t client, std::int64_t request, Nanos invoked, Nanos returned,
                  Outcome outcome = Outcome::ok, std::int64_t attempt = 0) {
    Operation op;
    op.kind = attempt == 0 ? kPlace : kRetry;
    op.client = client;
    op.key = request;
    op.value = order_of(request, attempt).value;
    op.aux = Wish{.product = kProduct, .quantity = 1}.packed();
    op.planned = op.invoked = invoked;
    op.returned = returned;
    op.outcome = outcome;
    return evidence.history.log(client).emplace_back(op);
  }
  Operation& sold_out(std::uint32_t client, std::int64_t request, Nanos invoked, Nanos returned,
                      std::int64_t attempt = 0) {
    Operation& op = call(client, request, invoked, returned, Outcome::ok, attempt);
    op.value = 0;
    return op;
  }
  void store(std::int64_t request, std::int64_t attempt = 0) {
    evidence.orders.push_back({order_of(request, attempt), kProduct, 1});
    --evidence.left[kProduct];
  }

  std::optional<CheckResult> judge(const std::string& name) const {
    for (const auto& check : checks()) {
      if (check.name == name) return check.judge(evidence);
    }
    ADD_FAILURE() << "no check " << name;
    return std::nullopt;
  }
  Verdict verdict(const std::string& name) const { return judge(name)->verdict; }
  std::string witness(const std::string& name) const { return judge(name)->witness; }

  Evidence evidence{lab::Instant{}};
};

/// Two orders, one after the other, then "sold out": all is well.
class AGoodDay : public OrderChecks {
 protected:
  AGoodDay() {
    call(0, 1, 1ms, 2ms);
    store(1);
    call(1, 2, 3ms, 4ms);
    store(2);
    sold_out(2, 3, 5ms, 6ms);
    call(3, 4, 7ms, 8ms, Outcome::info);
    call(3, 4, 9ms, 10ms, Outcome::ok, 1).value = 0;
  }
};

TEST_F(AGoodDay, EveryCheckHolds) {
  for (const auto& check : checks()) {
    const auto result = check.judge(evidence);
    ASSERT_TRUE(result) << check.name;
    EXPECT_EQ(result->verdict, Verdict::holds) << check.name << ": " << result->witness;
    EXPECT_GT(result->examined, 0u) << check.name;
  }
  EXPECT_EQ(oversold(evidence), 0);
  EXPECT_EQ(undersold(evidence), 0);
  EXPECT_EQ(duplicates(evidence), 0);
}

TEST_F(AGoodDay, AnItemThatIsNeitherThereNorSoldIsMissing) {
  evidence.left[kProduct] = -1;
  EXPECT_EQ(verdict("conservation"), Verdict::violated);
  EXPECT_THAT(witness("conservation"), HasSubstr("product 1020 had 2"));
  EXPECT_THAT(witness("conservation"), HasSubstr("1 are missing"));
  EXPECT_EQ(undersold(evidence), 1);
}

TEST_F(AGoodDay, AnItemThatIsSoldAndStillThereIsOneTooMany) {
  evidence.left[kProduct] = 1;
  EXPECT_THAT(witness("conservation"), HasSubstr("1 too many"));
}

TEST_F(OrderChecks, TheLastItemSoldTwiceIsShownWithBothBuyers) {
  call(0, 1, 1ms, 2ms);
  store(1);
  call(1, 2, 3ms, 6ms);
  store(2);
  call(2, 3, 4ms, 7ms);
  store(3);
  evidence.left[kProduct] = 0;
  ASSERT_EQ(verdict("no-oversell"), Verdict::violated);
  const std::string text = witness("no-oversell");
  EXPECT_THAT(text, HasSubstr("product 1020 had 2, and 3 were sold"));
  for (const char* part : {"client\u00a01", "client\u00a02", "3.00\u00a0ms\u00a0wants\u00a01",
                           "has\u00a0order\u00a0128", "has\u00a0order\u00a0192"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_EQ(text.find("client\u00a00"),
            std::string::npos);  // who bought the first one is no part of it
  EXPECT_EQ(oversold(evidence), 1);
}

TEST_F(OrderChecks, WithoutProductsNothingCanBeSaid) {
  evidence.initial.clear();
  EXPECT_EQ(verdict("conservation"), Verdict::inconclusive);
  EXPECT_EQ(verdict("no-oversell"), Verdict::inconclusive);
}

TEST_F(OrderChecks, ANegativeStockInOneSnapshotIsEnough) {
  evidence.watched.below_zero = 1;
  evidence.watched.product = kProduct;
  evidence.watched.stock = -1;
  EXPECT_EQ(verdict("stock-not-negative"), Verdict::violated);
  EXPECT_THAT(witness("stock-not-negative"), HasSubstr("product 1020 was -1"));
}

TEST_F(OrderChecks, AFewSnapshotsSayNothing) {
  evidence.watched.snapshots = 9;
  EXPECT_EQ(verdict("stock-not-negative"), Verdict::inconclusive);
}

TEST_F(OrderChecks, SoldOutWhileOneIsLeftIsFalse) {
  call(0, 1, 1ms, 2ms);
  store(1);
  sold_out(1, 2, 3ms, 4ms);
  ASSERT_EQ(verdict("sold-out-is-true"), Verdict::violated);
  EXPECT_THAT(witness("sold-out-is-true"), HasSubstr("at least 1 of 2 were left"));
}

TEST_F(OrderChecks, SoldOutIsTrueWhenTheLastMayHaveGoneDuringTheCall) {
  call(0, 1, 1ms, 2ms);
  store(1);
  call(1, 2, 3ms, 9ms);  // commits at some moment of this
  store(2);
  sold_out(2, 3, 3ms, 4ms);
  EXPECT_EQ(verdict("sold-out-is-true"), Verdict::holds);
}

TEST_F(OrderChecks, SoldOutBeforeTheLastWasEvenAskedForIsFalse) {
  call(0, 1, 1ms, 2ms);
  store(1);
  call(1, 2, 5ms, 9ms);
  store(2);
  sold_out(2, 3, 3ms, 4ms);
  EXPECT_EQ(verdict("sold-out-is-true"), Verdict::violated);
}

TEST_F(OrderChecks, SoldOutIsTrueForWhoWantsMoreThanIsLeft) {
  call(0, 1, 1ms, 2ms);
  store(1);
  sold_out(1, 2, 3ms, 4ms).aux = Wish{.product = kProduct, .quantity = 2}.packed();
  EXPECT_EQ(verdict("sold-out-is-true"), Verdict::holds);
}

TEST_F(OrderChecks, NobodyToldSoldOutSaysNothing) {
  call(0, 1, 1ms, 2ms);
  store(1);
  EXPECT_EQ(verdict("sold-out-is-true"), Verdict::inconclusive);
}

TEST_F(AGoodDay, AnAcknowledgedOrderThatIsGoneIsLost) {
  evidence.orders.pop_back();
  ASSERT_EQ(verdict("acknowledged"), Verdict::violated);
  EXPECT_THAT(witness("acknowledged"), HasSubstr("it has order 128"));
  EXPECT_THAT(witness("acknowledged"), HasSubstr("no such order"));
}

TEST_F(AGoodDay, AnotherQuantityThanWasAcknowledgedIsAnotherOrder) {
  evidence.orders.back().quantity = 2;
  EXPECT_THAT(witness("acknowledged"), HasSubstr("another one"));
}

TEST_F(OrderChecks, ARejectedOrderMustNotBeThere) {
  call(0, 1, 1ms, 2ms, Outcome::fail);
  store(1);
  ASSERT_EQ(verdict("acknowledged"), Verdict::violated);
  EXPECT_THAT(witness("acknowledged"), HasSubstr("its order had failed; order 64 is there"));
}

TEST_F(OrderChecks, AnOrderThatWasToldAsSoldOutMustNotBeThere) {
  sold_out(0, 1, 1ms, 2ms);
  store(1);
  EXPECT_EQ(verdict("acknowledged"), Verdict::violated);
}

TEST_F(OrderChecks, AnUnansweredOrderMayBeThereOrNot) {
  call(0, 1, 1ms, 2ms, Outcome::info);
  call(0, 1, 3ms, 4ms, Outcome::info, 1);
  call(1, 2, 1ms, 2ms);
  store(2);
  EXPECT_EQ(verdict("acknowledged"), Verdict::holds);
  store(1);
  EXPECT_EQ(verdict("acknowledged"), Verdict::holds);
}

TEST_F(OrderChecks, WithoutAnyAnswerNothingIsAcknowledged) {
  call(0, 1, 1ms, 2ms, Outcome::info);
  EXPECT_EQ(verdict("acknowledged"), Verdict::inconclusive);
}

TEST_F(OrderChecks, ARepeatedRequestThatMakesTwoOrdersIsCaught) {
  call(0, 1, 1ms, 2ms, Outcome::info);
  call(0, 1, 3ms, 4ms, Outcome::ok, 1);
  store(1);
  store(1, 1);
  ASSERT_EQ(verdict("once"), Verdict::violated);
  EXPECT_THAT(witness("once"), HasSubstr("orders 64 and 65, both paid"));
  EXPECT_EQ(duplicates(evidence), 1);
}

TEST_F(OrderChecks, ARepeatedRequestThatIsAnsweredWithItsFirstOrderHolds) {
  call(0, 1, 1ms, 2ms, Outcome::info);
  call(0, 1, 3ms, 4ms, Outcome::ok, 1).value = order_of(1, 0).value;
  store(1);
  EXPECT_EQ(verdict("once"), Verdict::holds);
  EXPECT_EQ(verdict("acknowledged"), Verdict::holds);
}

TEST_F(OrderChecks, SoldOutAfterTheFirstCallHasBoughtIsAWrongAnswer) {
  call(0, 1, 1ms, 2ms, Outcome::info);
  sold_out(0, 1, 3ms, 4ms, 1);
  store(1);
  ASSERT_EQ(verdict("once"), Verdict::violated);
  EXPECT_THAT(witness("once"), HasSubstr("\"sold out\""));
}

TEST_F(OrderChecks, ARequestThatNeverGetsAnAnswerLeavesItOpen) {
  call(0, 1, 1ms, 2ms, Outcome::info);
  EXPECT_EQ(verdict("once"), Verdict::inconclusive);
}

TEST_F(OrderChecks, WithoutRepeatedRequestsOnceDoesNotApply) {
  call(0, 1, 1ms, 2ms);
  store(1);
  EXPECT_FALSE(judge("once"));
}

TEST_F(OrderChecks, ARowWithoutItsCounterpartIsNamed) {
  EXPECT_EQ(verdict("all-or-nothing"), Verdict::inconclusive);
  store(1);
  evidence.orphans.push_back({"there is no payment for order", 64});
  ASSERT_EQ(verdict("all-or-nothing"), Verdict::violated);
  EXPECT_THAT(witness("all-or-nothing"), HasSubstr("there is no payment for order 64"));
}

TEST_F(OrderChecks, ABrokenOffTransactionIsNoSuccess) {
  EXPECT_EQ(verdict("no-false-success"), Verdict::inconclusive);
  Operation& op = call(0, 1, 1ms, 2ms);
  EXPECT_EQ(verdict("no-false-success"), Verdict::holds);
  op.aux = Wish{.product = kProduct, .quantity = 1, .conflicts = 1}.packed();  // and tried again
  EXPECT_EQ(verdict("no-false-success"), Verdict::holds);
  op.aux =
      Wish{.product = kProduct, .quantity = 1, .conflicts = 1, .ended_in_conflict = true}.packed();
  EXPECT_EQ(verdict("no-false-success"), Verdict::violated);
}

TEST(Wishes, SurviveTheirPacking) {
  for (const bool ended : {false, true}) {
    const Wish wish{
        .product = 48'000'020, .quantity = 3, .conflicts = 254, .ended_in_conflict = ended};
    const Wish back = Wish::unpacked(wish.packed());
    EXPECT_EQ(back.product, wish.product);
    EXPECT_EQ(back.quantity, 3);
    EXPECT_EQ(back.conflicts, 254);
    EXPECT_EQ(back.ended_in_conflict, ended);
  }
}

TEST(Shoppers, TurnToTheNextSaleWhenThisOneIsSoldOut) {
  const Season season{.number = 1, .sales = 3};
  Shopper shopper(season, lab::Random(1));
  const auto wants_sale = [&] {
    while (true) {
      const auto sale = season.sale_of(shopper.next().product);
      if (sale >= 0) return sale;
    }
  };
  const auto refuse = [&](std::int64_t sale, int times) {
    for (int i = 0; i < times; ++i) shopper.told({.product = season.product_on_sale(sale)}, true);
  };
  EXPECT_EQ(wants_sale(), 0);
  refuse(0, 2);
  EXPECT_EQ(wants_sale(), 0);
  refuse(0, 1);
  EXPECT_EQ(wants_sale(), 1);
  refuse(0, 9);  // late answers about the one before
  EXPECT_EQ(wants_sale(), 1);
  refuse(2, 9);
  EXPECT_EQ(wants_sale(), 2);  // the last one stays
}

Error conflict(const char* code) {
  return {lab::ErrorCode::conflict, lab::Happened::no, "somebody was first", code};
}

TEST(Retries, AreForWhatMayGoWellTheNextTime) {
  for (const char* code : {"40001", "40P01", "1213", "1205", "1020", "5", "261", "517"})
    EXPECT_TRUE(is_transient(conflict(code))) << code;
  for (const char* code : {"23505", "1062", "1586", "1555", "2067", "2579"})
    EXPECT_FALSE(is_transient(conflict(code))) << code;
  EXPECT_FALSE(is_transient({lab::ErrorCode::closed, lab::Happened::unknown, "gone", "40001"}));
}

/// Does what it is told.
class AnyDesk : public RetryingDesk {
 public:
  using RetryingDesk::with_retries;
  Result<Answer> place(const OrderRequest&) override { return kSoldOut; }
};

TEST(Retries, EndWithTheFirstAnswerOrAtTheirLimit) {
  const OrderRequest request{.id = OrderId{64}};
  AnyDesk desk;
  int calls = 0;
  const auto third = desk.with_retries(request, [&]() -> Result<Answer> {
    if (++calls < 3) return conflict("40001");
    return Answer{request.id};
  });
  EXPECT_EQ(third->order.value, 64);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(desk.retries(), 2);
  calls = 0;
  const auto never = desk.with_retries(request,
                                       [&]() -> Result<Answer> {
                                         ++calls;
                                         return conflict("1213");
                                       },
                                       {.attempts = 4});
  EXPECT_EQ(never.error().native_code, "1213");
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(desk.retries(), 2 + 3);
  calls = 0;
  const auto duplicate = desk.with_retries(request, [&]() -> Result<Answer> {
    ++calls;
    return conflict("23505");
  });
  EXPECT_EQ(duplicate.error().native_code, "23505");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace order_transactions
