#include "infra/product_repository.h"

#include <fmt/format.h>

#include <algorithm>

namespace lab::infra {
namespace {

constexpr std::size_t rows_per_insert = 100;

Error no_such_product(domain::ProductId id) {
  return {ErrorCode::not_found, Happened::no, fmt::format("there is no product {}", id.value)};
}

domain::Product product_from(const SqlRow& row) {
  return {domain::ProductId{as_integer(row[0])}, std::get<std::string>(row[1]),
          Cents{as_integer(row[2])}, as_integer(row[3])};
}

Result<void> insert_some(SqlConnection& connection,
                         std::span<const domain::StockedProduct> products) {
  std::string statement = "INSERT INTO products (id, name, price_cents, stock, version) VALUES ";
  std::vector<SqlValue> values;
  for (const auto& [product, stock] : products) {
    statement += values.empty() ? "(?, ?, ?, ?, ?)" : ", (?, ?, ?, ?, ?)";
    values.insert(values.end(),
                  {product.id.value, product.name, product.price.value, stock, product.version});
  }
  auto inserted = connection.run(statement, std::span<const SqlValue>(values));
  if (!inserted) return inserted.error();
  return {};
}

}  // namespace

Result<domain::Product> SqlProductRepository::find(domain::ProductId id) {
  auto found =
      sql_.run("SELECT id, name, price_cents, version FROM products WHERE id = ?", {id.value});
  if (!found) return found.error();
  if (found->rows.empty()) return no_such_product(id);
  return product_from(found->rows.front());
}

Result<std::vector<domain::Product>> SqlProductRepository::find_all() {
  auto found = sql_.run("SELECT id, name, price_cents, version FROM products ORDER BY id");
  if (!found) return found.error();
  std::vector<domain::Product> products;
  products.reserve(found->rows.size());
  for (const SqlRow& row : found->rows) products.push_back(product_from(row));
  return products;
}

Result<std::int64_t> SqlProductRepository::update_price(domain::ProductId id, Cents price) {
  return sql_.engine() == SqlEngine::mariadb ? update_then_read(id, price)
                                             : update_returning(id, price);
}

Result<std::int64_t> SqlProductRepository::update_returning(domain::ProductId id, Cents price) {
  auto updated = sql_.run(
      "UPDATE products SET price_cents = ?, version = version + 1 WHERE id = ? RETURNING version",
      {price.value, id.value});
  if (!updated) return updated.error();
  if (updated->rows.empty()) return no_such_product(id);
  return as_integer(updated->rows.front()[0]);
}

Result<std::int64_t> SqlProductRepository::update_then_read(domain::ProductId id, Cents price) {
  // MariaDB's UPDATE returns no rows. The row stays locked until the commit, so the version read is
  // this update's own.
  std::int64_t version = 0;
  auto done = sql_.transaction([&](SqlConnection& connection) -> Result<void> {
    auto updated =
        connection.run("UPDATE products SET price_cents = ?, version = version + 1 WHERE id = ?",
                       {price.value, id.value});
    if (!updated) return updated.error();
    if (updated->affected == 0) return no_such_product(id);
    auto read = connection.run("SELECT version FROM products WHERE id = ?", {id.value});
    if (!read) return read.error();
    version = as_integer(read->rows.at(0)[0]);
    return {};
  });
  if (!done) return done.error();
  return version;
}

Result<void> SqlProductRepository::insert(std::span<const domain::StockedProduct> products) {
  return sql_.transaction([&](SqlConnection& connection) -> Result<void> {
    for (auto rest = products; !rest.empty();
         rest = rest.subspan(std::min(rows_per_insert, rest.size()))) {
      auto done = insert_some(connection, rest.first(std::min(rows_per_insert, rest.size())));
      if (!done) return done;
    }
    return {};
  });
}

}  // namespace lab::infra
