#pragma once
// Products in Redis: how keys are named and entries are written. What to do with them is the
// variants' affair.

#include <optional>
#include <string>
#include <string_view>

#include "catalog.h"
#include "infra/redis.h"

namespace cache_aside {

/// "product:7"
std::string key_of(ProductId id);

/// What an entry says: the product and, where a variant distinguishes fresh from stale, until when
/// it is fresh.
struct Entry {
  Product product;
  std::int64_t fresh_until_ms =
      0;  // wall clock, because nodes share it; 0: as long as the entry lives

  bool is_fresh() const;
};

/// id, version, price, freshness, name and a checksum over all of them, as text.
std::string encode(const Entry& entry);

/// Nothing when the entry is damaged or belongs to another product.
std::optional<Entry> decode(std::string_view text, ProductId expected);

/// Takes the entry at its word, as code does that never met a damaged one. Nothing only when it
/// cannot be parsed.
std::optional<Entry> decode_unchecked(std::string_view text);

/// Thread-safe, as the client below it is.
class ProductCache {
 public:
  explicit ProductCache(lab::infra::Redis& redis, lab::infra::RedisCall call = {})
      : redis_(redis), call_(call) {}

  /// A damaged entry counts as absent and is removed, so that it can be filled again.
  Result<std::optional<Product>> get(ProductId id);
  Result<std::optional<Entry>> get_entry(ProductId id);
  /// Without a ttl the entry stays until it is removed.
  Result<void> put(const Product& product, std::optional<std::chrono::milliseconds> ttl = {});
  /// Fresh for the first time, then stale for the second, then gone.
  Result<void> put(const Product& product, std::chrono::milliseconds fresh_for,
                   std::chrono::milliseconds stale_for);
  Result<void> remove(ProductId id);

 private:
  lab::infra::Redis& redis_;
  lab::infra::RedisCall call_;
};

}  // namespace cache_aside
