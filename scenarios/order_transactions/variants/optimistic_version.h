#pragma once
// Optimistic locking: read without a lock, and write only if the row's version is still the one that was read; otherwise
// read again. Over select_for_update it adds the version and drops the lock: nobody waits between read and write, but
// when many want one product most of them read in vain.

#include "retry.h"
#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class OptimisticVersion : public RetryingDesk {
 public:
  explicit OptimisticVersion(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return with_retries(request, [&]() -> Result<Answer> {
      auto read =
          sql_.run("SELECT stock, version FROM products WHERE id = ?", {request.product.value});
      if (!read) return certain(read.error());
      const std::int64_t stock = lab::infra::as_integer(read->rows.at(0).at(0));
      const std::int64_t version = lab::infra::as_integer(read->rows.at(0).at(1));
      if (stock < request.quantity) return kSoldOut;
      return in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
        auto written = transaction.run(
            "UPDATE products SET stock = ?, version = version + 1 WHERE id = ? AND version = ?",
            {stock - request.quantity, request.product.value, version});
        if (!written) return written.error();
        if (written->affected == 0) return somebody_was_first();
        auto inserted = insert_order(transaction, request, key_of_this_attempt(request));
        if (!inserted) return inserted.error();
        return Answer{request.id};
      });
    });
  }

 private:
  static Error certain(Error error) {
    error.happened = lab::Happened::no;  // it only read
    return error;
  }
  /// As the database itself would say it.
  static Error somebody_was_first() {
    return {lab::ErrorCode::conflict, lab::Happened::no, "the version has changed", "40001"};
  }

  Sql& sql_;
};

}  // namespace order_transactions
