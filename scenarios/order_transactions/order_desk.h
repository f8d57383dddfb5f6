#pragma once
// The subject: the desk of a shop that takes orders, while others buy the same things.

#include <cstdint>
#include <string>

#include "core/result.h"
#include "domain/order.h"
#include "domain/payment.h"

namespace order_transactions {

using lab::Cents;
using lab::Error;
using lab::Result;
using lab::domain::OrderId;
using lab::domain::ProductId;
using lab::domain::UserId;

/// What a client asks for. When it got no answer it asks again, with the same key and a new id.
struct OrderRequest {
  OrderId id;  // for the order that this call may make; never used before
  UserId user;
  ProductId product;
  std::int64_t quantity = 1;
  Cents unit_price;  // as the client was shown it
  std::string key;   // the client's name for what it wants done once (an idempotency key)
};

/// Ordered, under this id; or sold out.
struct Answer {
  OrderId order{};  // 0: sold out
  bool sold_out() const { return order.value == 0; }
};
inline constexpr Answer kSoldOut{};

/// What every variant of this scenario implements. Thread-safe: many clients call at once, and other processes have desks of
/// their own over the same database.
class OrderDesk {
 public:
  virtual ~OrderDesk() = default;

  /// Sells the product if there is enough of it: takes it from the stock and writes an order with its line and its payment.
  /// Sold out means that less than the quantity was left at some moment of this call. Errors: `conflict` (no: somebody
  /// was first, as often as was tried) · `closed` (unknown where a commit was under way) · refused, exhausted (no).
  virtual Result<Answer> place(const OrderRequest& request) = 0;

  /// How often it has tried an order again so far, because somebody was first: whether the database said so or it saw that
  /// for itself.
  virtual std::int64_t retries() const { return 0; }
};

}  // namespace order_transactions
