#pragma once
// The naive cache: what was read once is kept, and nobody tells it that the price has changed.
//
// DELIBERATELY BROKEN. It adds Redis in front of the database, without an expiry and without an
// invalidation, believes whatever bytes come back, and cannot read at all while Redis is away.

#include "product_cache.h"

namespace cache_aside {

class CacheForever : public Catalog {
 public:
  CacheForever(lab::infra::Redis& redis, ProductRepository& store)
      : redis_(redis), cache_(redis), store_(store) {}

  Result<Product> read(ProductId id) override {
    auto entry = redis_.get(key_of(id));
    if (!entry) return entry.error();
    if (*entry) {
      if (auto cached = decode_unchecked(**entry)) return cached->product;
    }
    auto product = store_.find(id);
    if (product) (void)cache_.put(*product);  // for ever
    return product;
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    return store_.update_price(id, price);
  }

 private:
  lab::infra::Redis& redis_;
  ProductCache cache_;
  ProductRepository& store_;
};

}  // namespace cache_aside
