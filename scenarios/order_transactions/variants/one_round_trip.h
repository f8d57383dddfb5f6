#pragma once
// The whole transaction goes to the database at once: BEGIN, what is to be written, COMMIT. Nothing between them waits for the
// client any more, and that is what costs most: a row that everybody wants is locked for the length of one statement and
// of one commit, and no longer for journeys. Over idempotent_order it drops the round trips in between, and the table of
// keys: the payment's key is unique already.
//
// The client can't decide on the way, so the statements must: the first that finds nothing to change, or fails, takes
// all of them back.

#include "retry.h"
#include "rows.h"

namespace order_transactions {

class OneRoundTrip : public RetryingDesk {
 public:
  explicit OneRoundTrip(lab::infra::Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    const std::int64_t id = request.id.value, product = request.product.value,
                       quantity = request.quantity, price = request.unit_price.value,
                       total = quantity * price;
    return with_retries(request, [&]() -> Result<Answer> {
      auto bought = sql_.run_at_once({
          {kOrder, {id, request.user.value, total}},
          {kPayment, {id, id, total, request.key}},
          {kOutbox, {id, id}},
          {kTake, {quantity, product, quantity}},  // UPDATE … WHERE stock >= ?
          {kLine, {id, product, quantity, price}},
      });
      if (bought) return *bought ? Answer{request.id} : kSoldOut;
      return is_duplicate(bought.error()) ? first_answer(request) : bought.error();
    });
  }

 private:
  Result<Answer> first_answer(const OrderRequest& request) {
    auto found = sql_.run("SELECT order_id FROM payments WHERE idempotency_key = ?", {request.key});
    if (!found) return found.error();
    if (found->rows.empty())  // it was taken back after all: try again
      return Error{lab::ErrorCode::conflict, lab::Happened::no, "the key is gone", "40001"};
    return Answer{OrderId{lab::infra::as_integer(found->rows[0][0])}};
  }

  lab::infra::Sql& sql_;
};

}  // namespace order_transactions
