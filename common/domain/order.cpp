#include "domain/order.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <stdexcept>
#include <utility>

namespace lab::domain {
namespace {

constexpr std::size_t most_lines = 100;
constexpr std::int64_t most_of_one_product = 1000;

constexpr std::array<std::pair<OrderState, std::string_view>, 5> order_states{{
    {OrderState::placed, "placed"},
    {OrderState::paid, "paid"},
    {OrderState::shipped, "shipped"},
    {OrderState::delivered, "delivered"},
    {OrderState::cancelled, "cancelled"},
}};

Error bad_order(const Order& order, std::string_view why) {
  return {ErrorCode::invalid, Happened::no, fmt::format("order {}: {}", order.id.value, why)};
}

}  // namespace

std::string_view name(OrderState state) {
  for (const auto& [known, word] : order_states) {
    if (known == state) return word;
  }
  throw Failure("an order state without a name");
}

Result<OrderState> parse_order_state(std::string_view word) {
  for (const auto& [state, known] : order_states) {
    if (known == word) return state;
  }
  return Error{ErrorCode::invalid, Happened::no,
               fmt::format("\"{}\" is no state of an order", word)};
}

bool can_become(OrderState from, OrderState to) {
  switch (from) {
    case OrderState::placed: return to == OrderState::paid || to == OrderState::cancelled;
    case OrderState::paid: return to == OrderState::shipped || to == OrderState::cancelled;
    case OrderState::shipped: return to == OrderState::delivered;
    case OrderState::delivered:
    case OrderState::cancelled: return false;
  }
  return false;
}

Cents total(const Order& order) {
  Cents sum;
  for (const OrderLine& line : order.lines) sum = sum + line.unit_price * line.quantity;
  return sum;
}

Result<void> check_order(const Order& order) {
  if (order.lines.empty()) return bad_order(order, "has no line");
  if (order.lines.size() > most_lines)
    return bad_order(order, fmt::format("has more than {} lines", most_lines));
  std::set<ProductId> seen;
  for (const OrderLine& line : order.lines) {
    const auto product = line.product.value;
    if (!seen.insert(line.product).second) {
      return bad_order(order, fmt::format("names product {} twice", product));
    }
    if (line.quantity < 1 || line.quantity > most_of_one_product) {
      return bad_order(order, fmt::format("asks for {} of product {}", line.quantity, product));
    }
    if (line.unit_price < Cents{0}) {
      return bad_order(order, fmt::format("has a negative price for product {}", product));
    }
  }
  try {
    total(order);
  } catch (const std::overflow_error&) {
    return bad_order(order, "costs more than can be counted");
  }
  return {};
}

Result<Order> advance(Order order, OrderState to) {
  if (!can_become(order.state, to)) {
    return Error{ErrorCode::conflict, Happened::no,
                 fmt::format("order {} is {} and cannot become {}", order.id.value,
                             name(order.state), name(to))};
  }
  order.state = to;
  return order;
}

}  // namespace lab::domain
