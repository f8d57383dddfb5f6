#pragma once
// Cache-aside with invalidation: write the database, then delete the entry. Over aside_ttl it adds
// the delete, so a change is seen at once; and because "the entry is always deleted when it
// changes", it drops the TTL.
//
// DELIBERATELY BROKEN. A reader that took the old row from the database before the write can put it
// back after the delete. Nothing ever removes that entry: stale for ever.

#include "product_cache.h"

namespace cache_aside {

class AsideInvalidate : public Catalog {
 public:
  AsideInvalidate(lab::infra::Redis& redis, ProductRepository& store)
      : cache_(redis), store_(store) {}

  Result<Product> read(ProductId id) override {
    const auto cached = cache_.get(id);
    if (cached && *cached) return **cached;
    auto product = store_.find(id);
    if (product && cached)
      (void)cache_.put(*product);  // may land after the delete of a newer price
    return product;
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    auto version = store_.update_price(id, price);
    (void)cache_.remove(id);  // also when the outcome is unknown: a delete too many is only a miss
    return version;
  }

 private:
  ProductCache cache_;
  ProductRepository& store_;
};

}  // namespace cache_aside
