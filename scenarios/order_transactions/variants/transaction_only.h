#pragma once
// The same inside a transaction, at the engine's default isolation level. Over read_then_write it adds BEGIN and COMMIT: all
// rows or none.
//
// DELIBERATELY BROKEN. A transaction keeps its own writes together; it does not keep others from reading what it is about to
// change. PostgreSQL's READ COMMITTED and MariaDB's REPEATABLE READ (up to 11.5) let both read the last item: a lost update.
// Where the engine has snapshot isolation the second writer gets an error instead, and here nobody tries again.

#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class TransactionOnly : public OrderDesk {
 public:
  explicit TransactionOnly(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
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
  }

 private:
  Sql& sql_;
};

}  // namespace order_transactions
