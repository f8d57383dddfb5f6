#include "domain/order.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace lab::domain {
namespace {

constexpr OrderState order_states[] = {OrderState::placed, OrderState::paid, OrderState::shipped,
                                       OrderState::delivered, OrderState::cancelled};

Order order_of(std::vector<OrderLine> lines) {
  return {OrderId{7}, UserId{1}, OrderState::placed, std::move(lines)};
}

OrderLine line(std::int64_t product, std::int64_t quantity, std::int64_t cents) {
  return {ProductId{product}, quantity, Cents{cents}};
}

TEST(Order, TotalIsTheSumOfItsLines) {
  EXPECT_EQ(total(order_of({line(1, 2, 199), line(2, 1, 5000)})), Cents{5398});
  EXPECT_EQ(total(order_of({})), Cents{0});
}

TEST(Order, ASoundOneIsAccepted) {
  EXPECT_TRUE(check_order(order_of({line(1, 1, 0), line(2, 1000, 99)})));
}

TEST(Order, AnUnsoundOneIsInvalid) {
  const auto max = std::numeric_limits<std::int64_t>::max();
  std::vector<OrderLine> too_many;
  for (std::int64_t product = 1; product <= 101; ++product) too_many.push_back(line(product, 1, 1));
  for (const auto& lines : {std::vector<OrderLine>{},
                            {line(1, 0, 5)},
                            {line(1, -1, 5)},
                            {line(1, 1001, 5)},
                            {line(1, 1, -5)},
                            {line(1, 1, 5), line(1, 2, 5)},
                            {line(1, 2, max)},
                            {line(1, 1, max), line(2, 1, 1)},
                            too_many}) {
    const auto checked = check_order(order_of(lines));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::invalid);
    EXPECT_EQ(checked.error().happened, Happened::no);
  }
}

TEST(Order, TheMessageNamesOrderAndProduct) {
  EXPECT_EQ(check_order(order_of({line(4, 0, 5)})).error().message,
            "order 7: asks for 0 of product 4");
}

TEST(Order, ATotalThatDoesNotFitThrows) {
  EXPECT_THROW(total(order_of({line(1, 3, std::numeric_limits<std::int64_t>::max() / 2)})),
               std::overflow_error);
}

TEST(Order, GoesThroughItsStates) {
  auto order = advance(order_of({line(1, 1, 5)}), OrderState::paid);
  ASSERT_TRUE(order);
  order = advance(*order, OrderState::shipped);
  ASSERT_TRUE(order);
  order = advance(*order, OrderState::delivered);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->state, OrderState::delivered);
  EXPECT_EQ(order->lines.size(), 1u);
}

TEST(Order, EveryOtherStepIsAConflict) {
  int allowed = 0;
  for (const OrderState from : order_states) {
    for (const OrderState to : order_states) {
      Order order = order_of({line(1, 1, 5)});
      order.state = from;
      const auto advanced = advance(order, to);
      EXPECT_EQ(advanced.has_value(), can_become(from, to));
      if (advanced) {
        ++allowed;
      } else {
        EXPECT_EQ(advanced.error().code, ErrorCode::conflict);
      }
    }
  }
  EXPECT_EQ(allowed, 5);
}

TEST(Order, StatesAreReadBackFromTheirNames) {
  for (const OrderState state : order_states) EXPECT_EQ(*parse_order_state(name(state)), state);
  EXPECT_EQ(parse_order_state("Placed").error().code, ErrorCode::invalid);
  EXPECT_EQ(parse_order_state("").error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace lab::domain
