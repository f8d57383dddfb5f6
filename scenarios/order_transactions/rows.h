#pragma once
// The rows that make an order: what all variants write in the same way.

#include "infra/sql.h"
#include "order_desk.h"

namespace order_transactions {

/// Of the order itself, its payment and its line, one statement each. The line comes last: on MariaDB its foreign key locks
/// the product's row, so it must not come before the update of that row.
Result<void> insert_one_by_one(lab::infra::SqlConnection& connection, const OrderRequest& request,
                               const std::string& payment_key);

/// The same inside a transaction; on PostgreSQL in one statement, which saves two round trips.
Result<void> insert_order(lab::infra::SqlConnection& connection, const OrderRequest& request,
                          const std::string& payment_key);

/// The payment's key where the client's is not used: a new one for each attempt, so it protects nobody.
std::string key_of_this_attempt(const OrderRequest& request);

}  // namespace order_transactions
