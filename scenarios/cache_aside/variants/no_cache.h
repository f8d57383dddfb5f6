#pragma once
// The control: every read asks the database. Always right, and the yardstick for what a cache must
// earn.

#include "catalog.h"

namespace cache_aside {

class NoCache : public Catalog {
 public:
  explicit NoCache(ProductRepository& store) : store_(store) {}

  Result<Product> read(ProductId id) override { return store_.find(id); }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    return store_.update_price(id, price);
  }

 private:
  ProductRepository& store_;
};

}  // namespace cache_aside
