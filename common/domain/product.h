#pragma once
// A product of the shop.

#include <cstdint>
#include <string>
#include <vector>

#include "core/cents.h"
#include "core/ids.h"
#include "core/result.h"

namespace lab::domain {

using ProductId = Id<struct ProductTag>;

struct Product {
  ProductId id;
  std::string name;
  Cents price;
  std::int64_t version = 0;  // counts the changes of this row: 1 when inserted, then +1 with each update
  friend bool operator==(const Product&, const Product&) = default;
};

/// Where products are kept for good. Thread-safe.
class ProductRepository {
 public:
  virtual ~ProductRepository() = default;

  /// `not_found` when there is none.
  virtual Result<Product> find(ProductId id) = 0;
  virtual Result<std::vector<Product>> find_all() = 0;
  /// Commits the new price and returns the new version. An error with happened `unknown` may have committed.
  virtual Result<std::int64_t> update_price(ProductId id, Cents price) = 0;
};

}  // namespace lab::domain
