#include "doomed_writer.h"

#include <fmt/format.h>
#include <signal.h>

#include <sstream>

#include "actors/role.h"
#include "harness/exit_status.h"
#include "infra/product_repository.h"

namespace cache_aside {
namespace {

/// The database, but its client is gone as soon as a new price is committed.
class DiesAfterCommit : public ProductRepository {
 public:
  explicit DiesAfterCommit(ProductRepository& inner) : inner_(inner) {}

  Result<Product> find(ProductId id) override { return inner_.find(id); }
  Result<std::vector<Product>> find_all() override { return inner_.find_all(); }
  Result<std::int64_t> update_price(ProductId id, Cents price) override {
    auto version = inner_.update_price(id, price);
    if (version) raise(SIGKILL);
    return version;
  }

 private:
  ProductRepository& inner_;
};

}  // namespace

std::string doomed_writer_orders(const std::string& variant, const lab::infra::RedisAddress& redis,
                                 const lab::infra::SqlAddress& sql, ProductId product,
                                 Cents price) {
  std::string orders;
  const auto add = [&](const auto& field) { orders += fmt::format("{}\n", field); };
  add(variant);
  add(product.value);
  add(price.value);
  add(redis.unix_socket);
  add(redis.host);
  add(redis.port);
  add(redis.user);
  add(redis.password);
  add(redis.database);
  add(sql.url());
  return orders;
}

int doomed_writer(const std::vector<Recipe>& recipes) {
  std::istringstream orders(lab::actors::take_orders());
  const auto text = [&] {
    std::string line;
    std::getline(orders, line);
    return line;
  };
  const auto number = [&] { return std::stoll(text()); };
  const std::string variant = text();
  const ProductId product{number()};
  const Cents price{number()};
  lab::infra::RedisAddress redis_address{.unix_socket = text()};
  redis_address.host = text();
  redis_address.port = static_cast<int>(number());
  redis_address.user = text();
  redis_address.password = text();
  redis_address.database = static_cast<int>(number());
  const auto sql_address = lab::infra::SqlAddress::parse(text()).value();

  const auto redis = lab::infra::connect_redis(redis_address);
  const auto sql = lab::infra::connect_sql(sql_address, {.connections = 1});
  lab::infra::SqlProductRepository products(*sql);
  DiesAfterCommit store(products);
  for (const auto& recipe : recipes) {
    if (recipe.variant == variant)
      (void)recipe.make(*redis, store, Times{}, kNodes)->reprice(product, price);
  }
  return lab::harness::kEnvironmentFailed;
}

}  // namespace cache_aside
