#pragma once
// The stock is read and decided upon, and then lowered by what is sold instead of being set. Over transaction_only it changes
// one thing: the write is relative, so no decrement gets lost and the books add up.
//
// DELIBERATELY BROKEN. The decision is as old as the read. Everybody who read "1 left" takes one, and the stock goes below
// zero: the shop owes what it does not have.

#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class CheckThenDecrement : public OrderDesk {
 public:
  explicit CheckThenDecrement(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
      auto read =
          transaction.run("SELECT stock FROM products WHERE id = ?", {request.product.value});
      if (!read) return read.error();
      if (lab::infra::as_integer(read->rows.at(0).at(0)) < request.quantity) return kSoldOut;
      auto taken = transaction.run("UPDATE products SET stock = stock - ? WHERE id = ?",
                                   {request.quantity, request.product.value});
      if (!taken) return taken.error();
      auto inserted = insert_order(transaction, request, key_of_this_attempt(request));
      if (!inserted) return inserted.error();
      return Answer{request.id};
    });
  }

 private:
  Sql& sql_;
};

}  // namespace order_transactions
