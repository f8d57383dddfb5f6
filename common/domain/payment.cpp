#include "domain/payment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lab::domain {
namespace {

constexpr std::array<std::pair<PaymentState, std::string_view>, 5> payment_states{{
    {PaymentState::pending, "pending"},
    {PaymentState::authorised, "authorised"},
    {PaymentState::captured, "captured"},
    {PaymentState::refunded, "refunded"},
    {PaymentState::failed, "failed"},
}};

bool allowed_in_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::string_view name(PaymentState state) {
  for (const auto& [known, word] : payment_states) {
    if (known == state) return word;
  }
  throw Failure("a payment state without a name");
}

Result<PaymentState> parse_payment_state(std::string_view word) {
  for (const auto& [state, known] : payment_states) {
    if (known == word) return state;
  }
  return Error{ErrorCode::invalid, Happened::no,
               fmt::format("\"{}\" is no state of a payment", word)};
}

bool can_become(PaymentState from, PaymentState to) {
  switch (from) {
    case PaymentState::pending: return to == PaymentState::authorised || to == PaymentState::failed;
    case PaymentState::authorised:
      return to == PaymentState::captured || to == PaymentState::failed;
    case PaymentState::captured: return to == PaymentState::refunded;
    case PaymentState::refunded:
    case PaymentState::failed: return false;
  }
  return false;
}

Result<void> check_idempotency_key(std::string_view key) {
  if (key.size() < 8 || key.size() > 64) {
    return Error{ErrorCode::invalid, Happened::no,
                 fmt::format("an idempotency key has 8 to 64 characters, not {}", key.size())};
  }
  if (!std::all_of(key.begin(), key.end(), allowed_in_key)) {
    return Error{ErrorCode::invalid, Happened::no,
                 "an idempotency key is made of a-z, 0-9, - and _"};
  }
  return {};
}

Result<void> check_same_request(const Payment& stored, OrderId order, Cents amount) {
  if (stored.order == order && stored.amount == amount) return {};
  return Error{ErrorCode::conflict, Happened::no,
               fmt::format("idempotency key {} already paid {} cents for order {}",
                           stored.idempotency_key, stored.amount.value, stored.order.value)};
}

}  // namespace lab::domain
