#pragma once
// The naive statements again, but at SERIALIZABLE: the database promises that the result is that of some order of the
// transactions, one after the other, and breaks off those that do not fit. Over transaction_only it adds the level and the
// retries. No thought about which row is contended; paid for in transactions that run in vain.

#include "retry.h"
#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class SerializableRetry : public RetryingDesk {
 public:
  explicit SerializableRetry(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return with_retries(request, [&] {
      return in_transaction(
          sql_, Isolation::serializable, [&](SqlConnection& transaction) -> Result<Answer> {
            auto read =
                transaction.run("SELECT stock FROM products WHERE id = ?", {request.product.value});
            if (!read) return read.error();
            const std::int64_t stock = lab::infra::as_integer(read->rows.at(0).at(0));
            if (stock < request.quantity) return kSoldOut;
            auto written = transaction.run("UPDATE products SET stock = ? WHERE id = ?",
                                           {stock - request.quantity, request.product.value});
            if (!written) return written.error();
            auto inserted = insert_order(transaction, request, key_of_this_attempt(request));
            if (!inserted) return inserted.error();
            return Answer{request.id};
          });
    });
  }

 private:
  Sql& sql_;
};

}  // namespace order_transactions
