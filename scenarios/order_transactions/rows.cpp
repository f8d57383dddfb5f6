#include "rows.h"

namespace order_transactions {
namespace {

using lab::infra::SqlConnection;
using lab::infra::SqlEngine;
using lab::infra::SqlResult;

constexpr const char* kKey =
    "INSERT INTO idempotency_keys (idempotency_key, order_id) VALUES (?, ?)";

// PostgreSQL's.
constexpr const char* kOrderPaymentLine =
    "WITH placed AS (INSERT INTO orders (id, user_id, state, total_cents) VALUES (?, ?, 'paid', "
    "?)), "
    "paid AS (INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
    "VALUES (?, ?, ?, ?, 'captured')) "
    "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) VALUES (?, ?, ?, "
    "?)";
constexpr const char* kKeyOrderPaymentOutbox =
    "WITH kept AS (INSERT INTO idempotency_keys (idempotency_key, order_id) VALUES (?, ?)), "
    "placed AS (INSERT INTO orders (id, user_id, state, total_cents) VALUES (?, ?, 'paid', ?)), "
    "paid AS (INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
    "VALUES (?, ?, ?, ?, 'captured')) "
    "INSERT INTO outbox (id, order_id, event) VALUES (?, ?, 'order_placed')";
constexpr const char* kTakeAndLine =
    "WITH taken AS (UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ? RETURNING "
    "id) "
    "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) "
    "SELECT ?, id, ?, ? FROM taken";

Result<void> done(const Result<SqlResult>& result) {
  if (!result) return result.error();
  return {};
}

std::int64_t total_of(const OrderRequest& request) {
  return (request.unit_price * request.quantity).value;
}

Result<void> insert_order_row(SqlConnection& connection, const OrderRequest& request) {
  return done(connection.run(kOrder, {request.id.value, request.user.value, total_of(request)}));
}

Result<void> insert_payment(SqlConnection& connection, const OrderRequest& request,
                            const std::string& key) {
  const std::int64_t id = request.id.value;
  return done(connection.run(kPayment, {id, id, total_of(request), key}));
}

Result<void> insert_line(SqlConnection& connection, const OrderRequest& request) {
  return done(connection.run(kLine, {request.id.value, request.product.value, request.quantity,
                                     request.unit_price.value}));
}

}  // namespace

Result<void> insert_one_by_one(SqlConnection& connection, const OrderRequest& request,
                               const std::string& payment_key) {
  if (auto order = insert_order_row(connection, request); !order) return order;
  if (auto payment = insert_payment(connection, request, payment_key); !payment) return payment;
  return insert_line(connection, request);
}

Result<void> insert_order(SqlConnection& connection, const OrderRequest& request,
                          const std::string& payment_key) {
  if (connection.engine() != SqlEngine::postgres)
    return insert_one_by_one(connection, request, payment_key);
  const std::int64_t id = request.id.value, total = total_of(request);
  return done(connection.run(kOrderPaymentLine,
                             {id, request.user.value, total, id, id, total, payment_key, id,
                              request.product.value, request.quantity, request.unit_price.value}));
}

std::string key_of_this_attempt(const OrderRequest& request) {
  return "attempt-" + std::to_string(request.id.value);
}

Result<void> insert_key_and_order(SqlConnection& connection, const OrderRequest& request) {
  const std::int64_t id = request.id.value, total = total_of(request);
  if (connection.engine() == SqlEngine::postgres) {
    return done(connection.run(
        kKeyOrderPaymentOutbox,
        {request.key, id, id, request.user.value, total, id, id, total, request.key, id, id}));
  }
  if (auto key = connection.run(kKey, {request.key, id}); !key) return key.error();
  if (auto order = insert_order_row(connection, request); !order) return order;
  if (auto payment = insert_payment(connection, request, request.key); !payment) return payment;
  return done(connection.run(kOutbox, {id, id}));
}

Result<bool> take_from_stock(SqlConnection& connection, const OrderRequest& request) {
  const std::int64_t product = request.product.value, quantity = request.quantity;
  if (connection.engine() == SqlEngine::postgres) {
    auto taken = connection.run(kTakeAndLine, {quantity, product, quantity, request.id.value,
                                               quantity, request.unit_price.value});
    if (!taken) return taken.error();
    return taken->affected == 1;
  }
  auto taken = connection.run(kTake, {quantity, product, quantity});
  if (!taken) return taken.error();
  if (taken->affected == 0) return false;
  if (auto line = insert_line(connection, request); !line) return line.error();
  return true;
}

}  // namespace order_transactions
