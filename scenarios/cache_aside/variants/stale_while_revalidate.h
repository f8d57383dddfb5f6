#pragma once
// Stale-while-revalidate (after RFC 5861): past its freshness an entry is still served, while one
// background load renews it, so an expiry is never in a reader's way. Over single_flight it adds
// that, jitter on the TTL (keys filled together do not expire together), a time limit on every
// cache call, and a breaker that stops asking a Redis that does not answer.

#include <atomic>

#include "background_loader.h"
#include "circuit_breaker.h"
#include "core/random.h"
#include "flights.h"
#include "product_cache.h"

namespace cache_aside {

class StaleWhileRevalidate : public Catalog {
 public:
  StaleWhileRevalidate(lab::infra::Redis& redis, ProductRepository& store, Times times)
      : cache_(redis, {.timeout = times.cache_timeout}), store_(store), times_(times) {}

  Result<Product> read(ProductId id) override {
    if (!breaker_.allows()) return store_.find(id);
    const auto entry = cache_.get_entry(id);
    breaker_.record(entry.has_value());
    if (!entry) return store_.find(id);
    if (!*entry) return flights_.load_once(id, [&] { return load_if_absent(id); });
    if (!(*entry)->is_fresh()) background_.request(id);
    return (*entry)->product;
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    auto version = store_.update_price(id, price);
    // Behind an open breaker the entry stays: its TTL is what bounds it then.
    if (breaker_.allows()) breaker_.record(cache_.remove(id).has_value());
    return version;
  }

 private:
  /// Both look again first: another load may have landed since the caller looked.
  Result<Product> load_if_absent(ProductId id) {
    if (const auto cached = cache_.get(id); cached && *cached) return **cached;
    return load_and_fill(id);
  }

  void refresh_if_stale(ProductId id) {
    const auto entry = cache_.get_entry(id);
    if (!entry || (*entry && (*entry)->is_fresh())) return;
    (void)flights_.load_once(id, [&] { return load_and_fill(id); });
  }

  Result<Product> load_and_fill(ProductId id) {
    auto product = store_.find(id);
    if (product && breaker_.allows()) {
      breaker_.record(cache_.put(*product, jittered(times_.ttl), times_.stale_for).has_value());
    }
    return product;
  }

  /// 0.9 to 1.1 times as long.
  std::chrono::milliseconds jittered(std::chrono::milliseconds time) {
    const auto tenth = static_cast<std::uint64_t>(time.count()) / 10;
    const auto offset = lab::mix64(fills_.fetch_add(1)) % (2 * tenth + 1);
    return time - std::chrono::milliseconds(tenth) + std::chrono::milliseconds(offset);
  }

  ProductCache cache_;
  ProductRepository& store_;
  Times times_;
  CircuitBreaker breaker_;
  Flights flights_;
  std::atomic<std::uint64_t> fills_{0};
  // Last, because its thread uses the others.
  BackgroundLoader background_{[this](ProductId id) { refresh_if_stale(id); }};
};

}  // namespace cache_aside
