#include "c_client.h"

#include "rows.h"

namespace order_transactions {

std::vector<lab::infra::SqlStatement> statements_of_an_order() {
  return {{kOrder, {}}, {kPayment, {}}, {kOutbox, {}}, {kTake, {}}, {kLine, {}}};
}

}  // namespace order_transactions
