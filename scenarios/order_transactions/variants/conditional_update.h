#pragma once
// The condition goes into the write: UPDATE … WHERE stock >= ?. One statement reads, decides and writes, and how many rows
// it changed is the answer. Over optimistic_version it drops the read and the retries: there is nothing to be outdated.
//
// What is left open by all variants so far: a client that got no answer and asks again may buy twice.

#include "retry.h"
#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class ConditionalUpdate : public RetryingDesk {
 public:
  explicit ConditionalUpdate(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return with_retries(request, [&] {
      return in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
        auto taken =
            transaction.run("UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?",
                            {request.quantity, request.product.value, request.quantity});
        if (!taken) return taken.error();
        if (taken->affected == 0) return kSoldOut;
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
