#pragma once
// The transaction of one_round_trip through the databases' own C clients: prepared, on one connection, with no layer of
// ours in between. What they give is the limit for every variant.

#include <memory>
#include <string>
#include <vector>

#include "infra/sql.h"
#include "order_desk.h"

namespace order_transactions {

/// What one_round_trip asks the database for, in its order: what is bound to these, the clients know by themselves.
std::vector<lab::infra::SqlStatement> statements_of_an_order();

/// For one thread.
class CClient {
 public:
  virtual ~CClient() = default;
  /// True when the order is committed.
  virtual bool place(const OrderRequest& request) = 0;
};

/// Throw Failure when they cannot connect.
std::unique_ptr<CClient> open_c_client_of_mariadb(const lab::infra::SqlAddress& address);
std::unique_ptr<CClient> open_c_client_of_postgres(const lab::infra::SqlAddress& address);

}  // namespace order_transactions
