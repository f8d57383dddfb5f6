#pragma once
// The rows that make an order: what several variants write in the same way, in as few round trips as the engine allows.
// PostgreSQL takes several inserts as parts of one statement (WITH …) and checks their foreign keys at its end.

#include "infra/sql.h"
#include "order_desk.h"

namespace order_transactions {

inline constexpr const char* kOrder =
    "INSERT INTO orders (id, user_id, state, total_cents) VALUES (?, ?, 'paid', ?)";
inline constexpr const char* kPayment =
    "INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
    "VALUES (?, ?, ?, ?, 'captured')";
inline constexpr const char* kLine =
    "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) "
    "VALUES (?, ?, ?, ?)";
inline constexpr const char* kOutbox =
    "INSERT INTO outbox (id, order_id, event) VALUES (?, ?, 'order_placed')";
inline constexpr const char* kTake =
    "UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?";

/// Of the order itself, its payment and its line, one statement each. The line comes last: on MariaDB its foreign key locks
/// the product's row, so it must not come before the update of that row.
Result<void> insert_one_by_one(lab::infra::SqlConnection& connection, const OrderRequest& request,
                               const std::string& payment_key);

/// The same inside a transaction; on PostgreSQL in one statement.
Result<void> insert_order(lab::infra::SqlConnection& connection, const OrderRequest& request,
                          const std::string& payment_key);

/// The payment's key where the client's is not used: a new one for each attempt, so it protects nobody.
std::string key_of_this_attempt(const OrderRequest& request);

/// The client's key, the order, its payment and its outbox row: all that nobody else waits for. A `conflict` that is not
/// transient (retry.h): the key is there already.
Result<void> insert_key_and_order(lab::infra::SqlConnection& connection,
                                  const OrderRequest& request);

/// The order's line, and the product taken from the stock if there is enough of it; if not, neither, and false.
Result<bool> take_from_stock(lab::infra::SqlConnection& connection, const OrderRequest& request);

}  // namespace order_transactions
