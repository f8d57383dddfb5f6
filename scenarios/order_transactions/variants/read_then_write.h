#pragma once
// The naive one: read what is left, decide, write what is left then. What everyone writes first.
//
// DELIBERATELY BROKEN. Between the read and the write others read the same number: everybody writes back "one less than
// that", and the last item is sold as often as it was read. And each statement stands for itself: a crash in between
// leaves goods taken that nobody bought, or an order that nobody pays.

#include "rows.h"

namespace order_transactions {

class ReadThenWrite : public OrderDesk {
 public:
  explicit ReadThenWrite(lab::infra::Sql& sql) : sql_(sql) {}

  Result<Answer> place(const OrderRequest& request) override {
    auto connection = sql_.acquire();
    if (!connection) return connection.error();
    auto read =
        (*connection)->run("SELECT stock FROM products WHERE id = ?", {request.product.value});
    if (!read) return certain(read.error());
    const std::int64_t stock = lab::infra::as_integer(read->rows.at(0).at(0));
    if (stock < request.quantity) return kSoldOut;
    auto written =
        (*connection)
            ->run("UPDATE products SET stock = ? WHERE id = ?",  // what it was, less these
                  {stock - request.quantity, request.product.value});
    if (!written) return written.error();
    auto inserted = insert_one_by_one(**connection, request, key_of_this_attempt(request));
    if (!inserted) return half_done(inserted.error());
    return Answer{request.id};
  }

 private:
  static Error certain(Error error) {
    error.happened = lab::Happened::no;  // it only read
    return error;
  }
  static Error half_done(Error error) {
    error.happened =
        lab::Happened::unknown;  // the stock is changed, and some of the rows may be there
    return error;
  }

  lab::infra::Sql& sql_;
};

}  // namespace order_transactions
