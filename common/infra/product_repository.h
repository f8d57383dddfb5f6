#pragma once
// Products in a database.

#include <span>

#include "domain/product.h"
#include "infra/sql.h"

namespace lab::infra {

/// Thread-safe, as the Sql it uses; that must outlive it and be migrated.
class SqlProductRepository : public domain::ProductRepository {
 public:
  explicit SqlProductRepository(Sql& sql) : sql_(sql) {}

  Result<domain::Product> find(domain::ProductId id) override;
  Result<std::vector<domain::Product>> find_all() override;
  Result<std::int64_t> update_price(domain::ProductId id, Cents price) override;

  /// All or none; `conflict` when an id is there already. Many rows travel in one statement.
  Result<void> insert(std::span<const domain::StockedProduct> products);

 private:
  Result<std::int64_t> update_returning(domain::ProductId id, Cents price);
  Result<std::int64_t> update_then_read(domain::ProductId id, Cents price);

  Sql& sql_;
};

}  // namespace lab::infra
