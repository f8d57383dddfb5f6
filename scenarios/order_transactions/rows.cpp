#include "rows.h"

namespace order_transactions {
namespace {

using lab::infra::SqlConnection;
using lab::infra::SqlEngine;

// One round trip instead of three: PostgreSQL takes the inserts as parts of one statement, and checks their foreign keys at
// its end.
constexpr const char* kAllAtOnce =
    "WITH placed AS (INSERT INTO orders (id, user_id, state, total_cents) VALUES (?, ?, 'paid', "
    "?)), "
    "paid AS (INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
    "VALUES (?, ?, ?, ?, 'captured')) "
    "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) VALUES (?, ?, ?, "
    "?)";

Result<void> done(const Result<lab::infra::SqlResult>& result) {
  if (!result) return result.error();
  return {};
}

Result<void> insert_all_at_once(SqlConnection& connection, const OrderRequest& request,
                                const std::string& payment_key) {
  const std::int64_t id = request.id.value, total = (request.unit_price * request.quantity).value;
  return done(connection.run(kAllAtOnce,
                             {id, request.user.value, total, id, id, total, payment_key, id,
                              request.product.value, request.quantity, request.unit_price.value}));
}

}  // namespace

Result<void> insert_order(SqlConnection& connection, const OrderRequest& request,
                          const std::string& payment_key) {
  return connection.engine() == SqlEngine::postgres
             ? insert_all_at_once(connection, request, payment_key)
             : insert_one_by_one(connection, request, payment_key);
}

Result<void> insert_one_by_one(SqlConnection& connection, const OrderRequest& request,
                               const std::string& payment_key) {
  const std::int64_t id = request.id.value, total = (request.unit_price * request.quantity).value;
  auto order = connection.run(
      "INSERT INTO orders (id, user_id, state, total_cents) VALUES (?, ?, 'paid', ?)",
      {id, request.user.value, total});
  if (!order) return order.error();
  auto payment = connection.run(
      "INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
      "VALUES (?, ?, ?, ?, 'captured')",
      {id, id, total, payment_key});
  if (!payment) return payment.error();
  return done(
      connection.run("INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) "
                     "VALUES (?, ?, ?, ?)",
                     {id, request.product.value, request.quantity, request.unit_price.value}));
}

std::string key_of_this_attempt(const OrderRequest& request) {
  return "attempt-" + std::to_string(request.id.value);
}

}  // namespace order_transactions
