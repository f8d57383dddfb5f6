#pragma once
// Cache-aside with an expiry: a stale entry is served for at most its time to live, plus the time a
// slow fill takes to land. Over cache_forever it adds the TTL, a checksum on every entry, and the
// database as the way out when Redis fails.
//
// What it still gets wrong: when a hot key expires, everyone who asks for it goes to the database
// at once.

#include "product_cache.h"

namespace cache_aside {

class AsideTtl : public Catalog {
 public:
  AsideTtl(lab::infra::Redis& redis, ProductRepository& store, Times times)
      : cache_(redis), store_(store), times_(times) {}

  Result<Product> read(ProductId id) override {
    const auto cached = cache_.get(id);
    if (cached && *cached) return **cached;
    auto product = store_.find(id);
    if (product && cached)
      (void)cache_.put(*product, times_.ttl);  // no fill where the lookup has just failed
    return product;
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    return store_.update_price(id, price);
  }

 private:
  ProductCache cache_;
  ProductRepository& store_;
  Times times_;
};

}  // namespace cache_aside
