#pragma once
// Single-flight: when many clients of a node miss the same key, one of them loads it and the others
// wait for that answer (the idea of Go's golang.org/x/sync/singleflight). Over aside_invalidate it
// adds the flights, and takes the TTL back as the bound for the race that invalidation alone loses.

#include "flights.h"
#include "product_cache.h"

namespace cache_aside {

class SingleFlight : public Catalog {
 public:
  SingleFlight(lab::infra::Redis& redis, ProductRepository& store, Times times)
      : cache_(redis), store_(store), times_(times) {}

  Result<Product> read(ProductId id) override {
    const auto cached = cache_.get(id);
    if (cached && *cached) return **cached;
    if (!cached)
      return store_.find(
          id);  // without a cache there is nothing to fill, so nobody waits for a fill
    return flights_.load_once(id, [&] { return load_and_fill(id); });
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    auto version = store_.update_price(id, price);
    (void)cache_.remove(id);  // also when the outcome is unknown: a delete too many is only a miss
    return version;
  }

 private:
  Result<Product> load_and_fill(ProductId id) {
    // Look again: another flight may have landed between the miss and this one's take-off.
    if (const auto cached = cache_.get(id); cached && *cached) return **cached;
    auto product = store_.find(id);
    if (product) (void)cache_.put(*product, times_.ttl);
    return product;
  }

  ProductCache cache_;
  ProductRepository& store_;
  Times times_;
  Flights flights_;
};

}  // namespace cache_aside
