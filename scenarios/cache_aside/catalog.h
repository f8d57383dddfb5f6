#pragma once
// The subject: one node of a shop that reads products far more often than it reprices them.

#include <chrono>
#include <cstdint>

#include "core/result.h"
#include "domain/product.h"

namespace cache_aside {

using lab::Cents;
using lab::Error;
using lab::Result;
using lab::domain::Product;
using lab::domain::ProductId;
using lab::domain::ProductRepository;

/// What every variant of this scenario implements. One object is one node; nodes share the cache
/// and the database and nothing else. Thread-safe: many clients call at once.
class Catalog {
 public:
  virtual ~Catalog() = default;

  /// The product, possibly stale: by how much is the variant's promise.
  virtual Result<Product> read(ProductId id) = 0;

  /// Commits the new price to the database and returns the row's new version. When this returns a
  /// value, the change is acknowledged: from then on the staleness of reads is counted.
  virtual Result<std::int64_t> reprice(ProductId id, Cents price) = 0;
};

/// The times that the variants share, so that they are compared under equal rules.
struct Times {
  std::chrono::milliseconds ttl{1000};  // an entry lives this long
  std::chrono::milliseconds stale_for{
      500};  // stale-while-revalidate: and may be served this long after
  std::chrono::milliseconds cache_timeout{
      50};  // where a variant limits its cache calls, this is the limit
  std::chrono::milliseconds lease{500};  // the right to fill a key is lost after this long
};

}  // namespace cache_aside
