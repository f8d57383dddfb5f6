#pragma once
// An order: who buys what, at which price, and how far it has come.

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/cents.h"
#include "core/ids.h"
#include "core/result.h"
#include "domain/product.h"
#include "domain/user.h"

namespace lab::domain {

using OrderId = Id<struct OrderTag>;

/// placed → paid → shipped → delivered; placed or paid → cancelled. Nothing leaves delivered or
/// cancelled.
enum class OrderState { placed, paid, shipped, delivered, cancelled };

/// The word that the database keeps: "placed".
std::string_view name(OrderState state);
Result<OrderState> parse_order_state(std::string_view word);
bool can_become(OrderState from, OrderState to);

struct OrderLine {
  ProductId product;
  std::int64_t quantity = 0;
  Cents unit_price;  // as it was when the order was placed, whatever the product costs later
  friend bool operator==(const OrderLine&, const OrderLine&) = default;
};

struct Order {
  OrderId id;
  UserId user;
  OrderState state = OrderState::placed;
  std::vector<OrderLine> lines;
  friend bool operator==(const Order&, const Order&) = default;
};

/// Throws std::overflow_error when the sum does not fit: check_order() lets no such order through.
Cents total(const Order& order);

/// An order has 1 to 100 lines, each product once, each quantity 1 to 1,000, no negative price, and
/// a total that fits. `invalid` names the line.
Result<void> check_order(const Order& order);

/// The order in its new state, or `conflict`: "order 7 is delivered and cannot become cancelled".
Result<Order> advance(Order order, OrderState to);

}  // namespace lab::domain
