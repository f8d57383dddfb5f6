// What the pieces cost, one by one, on Google Benchmark: a hit, a miss, an entry's way to bytes and
// back, and the single-flight path when many threads want the same key. In-process, without a
// network: the servers' share is left out.

#include <benchmark/benchmark.h>

#include <thread>

#include "infra/embedded_redis.h"
#include "variants/single_flight.h"

namespace cache_aside {
namespace {

Product sample(ProductId id) {
  return {id, "Kettle, stainless steel, 1.7 litres", Cents{2'495}, 3};
}

/// A database that answers at once.
class InstantStore : public ProductRepository {
 public:
  Result<Product> find(ProductId id) override { return sample(id); }
  Result<std::vector<Product>> find_all() override { return std::vector<Product>{}; }
  Result<std::int64_t> update_price(ProductId, Cents) override { return 4; }
};

/// One node over an embedded Redis that charges no round trip; shared by the benchmark's threads.
struct Node {
  lab::infra::EmbeddedRedis server{{.round_trip = lab::Nanos{0}}};
  std::unique_ptr<lab::infra::Redis> redis = server.client();
  InstantStore store;
  SingleFlight catalog{*redis, store, {.ttl = std::chrono::hours(1)}};
};

Node& node() {
  static Node instance;
  return instance;
}

void encode_entry(benchmark::State& state) {
  const Product product = sample(ProductId{7});
  for (auto _ : state) benchmark::DoNotOptimize(encode({product}));
}
BENCHMARK(encode_entry);

void decode_entry(benchmark::State& state) {
  const std::string entry = encode({sample(ProductId{7})});
  for (auto _ : state) benchmark::DoNotOptimize(decode(entry, ProductId{7}));
}
BENCHMARK(decode_entry);

void hit(benchmark::State& state) {
  (void)node().catalog.read(ProductId{1});
  for (auto _ : state) benchmark::DoNotOptimize(node().catalog.read(ProductId{1}));
}
BENCHMARK(hit)->Threads(1)->Threads(4);

void miss(benchmark::State& state) {
  std::int64_t id = 1'000;
  for (auto _ : state) benchmark::DoNotOptimize(node().catalog.read(ProductId{++id}));
  (void)node().redis->command({"FLUSHALL"});
}
BENCHMARK(miss)->Iterations(20'000);

/// All threads miss the same key at once, again and again: what the flights' lock and waiting cost.
void single_flight_contended(benchmark::State& state) {
  static Flights flights;
  std::int64_t loads = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(flights.load_once(ProductId{1}, [&] {
      ++loads;
      std::this_thread::sleep_for(std::chrono::microseconds(100));  // as long as a quick query
      return Result<Product>(sample(ProductId{1}));
    }));
  }
  state.counters["loads_per_call"] =
      benchmark::Counter(static_cast<double>(loads), benchmark::Counter::kAvgIterations);
}
BENCHMARK(single_flight_contended)->Threads(1)->Threads(16)->UseRealTime();

}  // namespace
}  // namespace cache_aside
