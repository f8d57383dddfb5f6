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
  std::int64_t version =
      0;  // counts the changes of this row: 1 when inserted, then +1 with each update
  friend bool operator==(const Product&, const Product&) = default;
};

/// A product and how many are left. The stock changes with every order, so it is no part of a
/// Product that somebody shows, caches or compares.
struct StockedProduct {
  Product product;
  std::int64_t stock = 0;
  friend bool operator==(const StockedProduct&, const StockedProduct&) = default;
};

/// Where products are kept for good. Thread-safe.
class ProductRepository {
 public:
  virtual ~ProductRepository() = default;

  /// `not_found` when there is none.
  virtual Result<Product> find(ProductId id) = 0;
  /// In the order of their ids.
  virtual Result<std::vector<Product>> find_all() = 0;
  /// Commits the new price and returns the new version. An error with happened `unknown` may have
  /// committed.
  virtual Result<std::int64_t> update_price(ProductId id, Cents price) = 0;
};

}  // namespace lab::domain
