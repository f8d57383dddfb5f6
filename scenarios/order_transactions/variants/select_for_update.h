#pragma once
// Pessimistic locking: whoever reads in order to write locks the row first (SELECT … FOR UPDATE). Over transaction_only it
// adds the lock, and tries again when the database breaks a deadlock. The price: buyers of one product queue up from the
// read to the commit.

#include "retry.h"
#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class SelectForUpdate : public RetryingDesk {
 public:
  explicit SelectForUpdate(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return with_retries(request, [&] {
      return in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
        auto read = transaction.run(read_and_lock(), {request.product.value});
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
  /// SQLite has no row locks: there a transaction that writes holds the one lock from its BEGIN IMMEDIATE on.
  const char* read_and_lock() const {
    return sql_.engine() == SqlEngine::sqlite
               ? "SELECT stock FROM products WHERE id = ?"
               : "SELECT stock FROM products WHERE id = ? FOR UPDATE";
  }

  Sql& sql_;
};

}  // namespace order_transactions
