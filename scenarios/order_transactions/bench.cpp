// What the pieces cost on Google Benchmark, without a server: an order on SQLite by each way of writing it, the steps' observer,
// and what a client writes down about each call.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>

#include "actors/operation_log.h"
#include "books.h"
#include "domain/migrations.h"
#include "infra/migrate.h"
#include "observed_sql.h"
#include "variants/conditional_update.h"
#include "variants/idempotent_order.h"
#include "variants/one_round_trip.h"
#include "variants/optimistic_version.h"
#include "variants/read_then_write.h"

namespace order_transactions {
namespace {

/// A database in a folder of its own, with one product that does not run out.
class Shop {
 public:
  Shop() {
    char pattern[] = "/tmp/order-bench-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    sql_ = lab::infra::connect_sql(
        {.engine = SqlEngine::sqlite, .path = (folder_ / "shop.sqlite").string()});
    lab::infra::migrate(*sql_, lab::domain::migrations()).value();
    prepare_books(*sql_, 1);
    stock_up(*sql_, {{ProductId{1}, kPlentyStock}});
  }
  ~Shop() {
    sql_.reset();
    std::filesystem::remove_all(folder_);
  }
  Sql& sql() { return *sql_; }
  std::filesystem::path folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Sql> sql_;
};

template <class Desk>
void place(benchmark::State& state) {
  Shop shop;
  Desk desk(shop.sql());
  std::int64_t request = 0;
  for (auto _ : state) {
    const auto answer = desk.place(request_for(++request, 0, {.product = 1, .quantity = 1}));
    if (!answer) state.SkipWithError(answer.error().message.c_str());
  }
}
BENCHMARK(place<ReadThenWrite>);
BENCHMARK(place<OptimisticVersion>);
BENCHMARK(place<ConditionalUpdate>);
BENCHMARK(place<IdempotentOrder>);
BENCHMARK(place<OneRoundTrip>);

void place_observed(benchmark::State& state) {
  Shop shop;
  Observer nobody;
  const auto sql = observed(shop.sql(), nobody);
  ConditionalUpdate desk(*sql);
  std::int64_t request = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(desk.place(request_for(++request, 0, {.product = 1, .quantity = 1})));
}
BENCHMARK(place_observed);

void write_down_one_call(benchmark::State& state) {
  Shop shop;
  lab::actors::OperationLog log(shop.folder() / "client.log");
  const lab::harness::Operation operation{.key = 1};
  for (auto _ : state) {
    log.invoked(operation);
    log.returned(operation);
  }
}
BENCHMARK(write_down_one_call);

}  // namespace
}  // namespace order_transactions
