#pragma once
// The client's key is written first, in the same transaction as the order. Asked again, the desk finds it and gives the
// first answer again. Over conditional_update it adds the key, so that a client may ask until it knows, and a row in the
// outbox: what others are to be told is true exactly when the order is. And it takes the row that everybody wants last, right
// before the COMMIT: others wait for one or two round trips and not for all of them.
//
// A key whose transaction is under way makes its second insert wait; a sold-out answer leaves no key behind.

#include "retry.h"
#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class IdempotentOrder : public RetryingDesk {
 public:
  explicit IdempotentOrder(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return with_retries(request, [&]() -> Result<Answer> {
      bool seen_before = false;
      auto answer = in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
        if (auto inserted = insert_key_and_order(transaction, request); !inserted) {
          seen_before = is_duplicate(inserted.error());
          return inserted.error();
        }
        auto taken = take_from_stock(transaction, request);  // UPDATE … WHERE stock >= ?
        if (!taken) return taken.error();
        return *taken ? Answer{request.id} : kSoldOut;
      });
      return seen_before ? first_answer(request) : answer;
    });
  }

 private:
  Result<Answer> first_answer(const OrderRequest& request) {
    auto found =
        sql_.run("SELECT order_id FROM idempotency_keys WHERE idempotency_key = ?", {request.key});
    if (!found) return found.error();
    if (found->rows.empty())  // it was taken back after all: try again
      return Error{lab::ErrorCode::conflict, lab::Happened::no, "the key is gone", "40001"};
    return Answer{OrderId{lab::infra::as_integer(found->rows[0][0])}};
  }

  Sql& sql_;
};

}  // namespace order_transactions
