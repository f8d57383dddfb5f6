#pragma once
// A payment for an order. Its idempotency key makes a retry safe: the same key never pays twice.

#include <string>
#include <string_view>

#include "core/cents.h"
#include "core/ids.h"
#include "core/result.h"
#include "domain/order.h"

namespace lab::domain {

using PaymentId = Id<struct PaymentTag>;

/// pending → authorised → captured → refunded; pending or authorised → failed.
enum class PaymentState { pending, authorised, captured, refunded, failed };

std::string_view name(PaymentState state);
Result<PaymentState> parse_payment_state(std::string_view word);
bool can_become(PaymentState from, PaymentState to);

struct Payment {
  PaymentId id;
  OrderId order;
  Cents amount;
  std::string idempotency_key;  // chosen by the client, one for each thing it wants paid; unique
  PaymentState state = PaymentState::pending;
  friend bool operator==(const Payment&, const Payment&) = default;
};

/// 8 to 64 of a-z, 0-9, - and _. No capitals: some engines would take "A" and "a" for the same key.
Result<void> check_idempotency_key(std::string_view key);

/// A payment with this key is already there: is the new request the same one once more? Then its
/// answer is the stored payment. `conflict` when the key was used for another order or another
/// amount.
Result<void> check_same_request(const Payment& stored, OrderId order, Cents amount);

}  // namespace lab::domain
