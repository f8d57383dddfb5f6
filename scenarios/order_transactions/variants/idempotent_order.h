#pragma once
// The client's key is written first, in the same transaction as the order. Asked again, the desk finds it and gives the
// first answer again. Over conditional_update it adds the key, so that a client may ask until it knows, and a row in the
// outbox: what others are to be told is true exactly when the order is.
//
// A key whose transaction is under way makes its second insert wait, and a sold-out answer leaves no key behind.

#include "retry.h"
#include "rows.h"
#include "transaction.h"

namespace order_transactions {

class IdempotentOrder : public OrderDesk {
 public:
  explicit IdempotentOrder(Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    return with_retries(request, [&]() -> Result<Answer> {
      bool seen_before = false;
      auto answer = in_transaction(sql_, [&](SqlConnection& transaction) {
        return place_once(transaction, request, seen_before);
      });
      return seen_before ? first_answer(request) : answer;
    });
  }

 private:
  Result<Answer> place_once(SqlConnection& transaction, const OrderRequest& request,
                            bool& seen_before) {
    const std::int64_t id = request.id.value;
    auto key =
        transaction.run("INSERT INTO idempotency_keys (idempotency_key, order_id) VALUES (?, ?)",
                        {request.key, id});
    seen_before =
        !key && key.error().code == lab::ErrorCode::conflict && !is_transient(key.error());
    if (!key) return key.error();
    auto taken =
        transaction.run("UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?",
                        {request.quantity, request.product.value, request.quantity});
    if (!taken) return taken.error();
    if (taken->affected == 0) return kSoldOut;
    auto inserted = insert_order(transaction, request, request.key);
    if (!inserted) return inserted.error();
    auto told = transaction.run(
        "INSERT INTO outbox (id, order_id, event) VALUES (?, ?, 'order_placed')", {id, id});
    if (!told) return told.error();
    return Answer{request.id};
  }

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
