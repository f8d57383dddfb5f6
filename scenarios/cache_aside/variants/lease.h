#pragma once
// Leases: a miss hands out the right to fill the key, and a write takes it back. So a fill is
// accepted only if no write came between the database read and the fill (Nishtala et al., "Scaling
// Memcache at Facebook", NSDI 2013). Over single_flight it adds the lease: as a rule one load per
// expiry over all nodes, and no stale fill. A delete that is lost still leaves a stale entry, until its TTL.

#include <atomic>
#include <thread>

#include "core/random.h"
#include "product_cache.h"

namespace cache_aside {

class Lease : public Catalog {
 public:
  Lease(lab::infra::Redis& redis, ProductRepository& store, Times times, std::uint64_t node)
      : redis_(redis), cache_(redis), store_(store), times_(times), next_token_(lab::mix64(node)) {}

  Result<Product> read(ProductId id) override {
    for (const auto patience = lab::now() + times_.lease / 2; lab::now() < patience;) {
      const auto cached = cache_.get(id);
      if (!cached) return store_.find(id);
      if (*cached) return **cached;

      const std::string token = std::to_string(next_token_.fetch_add(1));
      const auto lease = redis_.eval(kTakeLease, {key_of(id), lease_of(id)},
                                     {token, std::to_string(times_.lease.count())});
      if (!lease) return store_.find(id);
      if (lease->integer == kGranted) return load_and_fill(id, token);
      if (lease->integer == kTaken) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return store_.find(id);  // the holder is slow or gone: read past it, fill nothing
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    auto version = store_.update_price(id, price);
    // The entry and the right of anyone to fill it; also when the outcome is unknown.
    (void)redis_.del({key_of(id), lease_of(id)});
    return version;
  }

 private:
  enum Answer { kTaken = 0, kGranted = 1, kFilledMeanwhile = 2 };

  Result<Product> load_and_fill(ProductId id, const std::string& token) {
    auto product = store_.find(id);
    const std::string entry =
        product ? encode({*product}) : "";  // empty: only gives the lease back
    (void)redis_.eval(kFill, {key_of(id), lease_of(id)},
                      {token, entry, std::to_string(times_.ttl.count())});
    return product;
  }

  static std::string lease_of(ProductId id) { return "lease:" + key_of(id); }

  inline static const lab::infra::RedisScript kTakeLease{R"(
    if redis.call('EXISTS', KEYS[1]) == 1 then return 2 end
    if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
    return 0)"};
  inline static const lab::infra::RedisScript kFill{R"(
    if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
    if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
    redis.call('DEL', KEYS[2])
    return 1)"};

  lab::infra::Redis& redis_;
  ProductCache cache_;
  ProductRepository& store_;
  Times times_;
  std::atomic<std::uint64_t> next_token_;
};

}  // namespace cache_aside
