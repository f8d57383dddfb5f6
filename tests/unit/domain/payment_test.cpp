#include "domain/payment.h"

#include <gtest/gtest.h>

namespace lab::domain {
namespace {

constexpr PaymentState payment_states[] = {PaymentState::pending, PaymentState::authorised,
                                           PaymentState::captured, PaymentState::refunded,
                                           PaymentState::failed};

TEST(Payment, StatesAreReadBackFromTheirNames) {
  for (const PaymentState state : payment_states)
    EXPECT_EQ(*parse_payment_state(name(state)), state);
  EXPECT_FALSE(parse_payment_state("paid"));
}

TEST(Payment, OnlyTheDocumentedStepsAreAllowed) {
  int allowed = 0;
  for (const PaymentState from : payment_states) {
    for (const PaymentState to : payment_states) allowed += can_become(from, to);
  }
  EXPECT_EQ(allowed, 5);
  EXPECT_TRUE(can_become(PaymentState::pending, PaymentState::authorised));
  EXPECT_TRUE(can_become(PaymentState::captured, PaymentState::refunded));
  EXPECT_FALSE(can_become(PaymentState::pending, PaymentState::captured));
  EXPECT_FALSE(can_become(PaymentState::failed, PaymentState::pending));
}

TEST(Payment, KeysAreCheckedForLengthAndLetters) {
  EXPECT_TRUE(check_idempotency_key("order-7_try1"));
  EXPECT_TRUE(check_idempotency_key(std::string(8, 'a')));
  EXPECT_TRUE(check_idempotency_key(std::string(64, '0')));
  for (const std::string& key :
       {std::string(), std::string(7, 'a'), std::string(65, 'a'), std::string("ORDER-7-1"),
        std::string("order 7 1"), std::string("order-7\0x", 9)}) {
    EXPECT_EQ(check_idempotency_key(key).error().code, ErrorCode::invalid);
  }
}

TEST(Payment, ARepeatedKeyIsTheSameRequestOrAConflict) {
  const Payment stored{PaymentId{1}, OrderId{7}, Cents{500}, "order-7-pay", PaymentState::captured};
  EXPECT_TRUE(check_same_request(stored, OrderId{7}, Cents{500}));
  EXPECT_EQ(check_same_request(stored, OrderId{8}, Cents{500}).error().code, ErrorCode::conflict);
  EXPECT_EQ(check_same_request(stored, OrderId{7}, Cents{501}).error().message,
            "idempotency key order-7-pay already paid 500 cents for order 7");
}

}  // namespace
}  // namespace lab::domain
