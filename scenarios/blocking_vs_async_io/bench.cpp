// What the pieces of a request cost, one by one, on Google Benchmark: from bytes to a request, its answer, and back to
// bytes. No socket: what the kernel takes is what is left.

#include <benchmark/benchmark.h>

#include "domain/seed.h"
#include "net/http_api.h"
#include "net/http_load.h"

namespace blocking_vs_async_io {
namespace {

using namespace lab::net;

const std::string kSmall = request_bytes("GET", "/products/7");
const std::string kBrowser =
    "GET /products/7 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
    "x86_64)\r\n"
    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nCache-Control: "
    "no-cache\r\n\r\n";

void read(benchmark::State& state, const std::string& bytes) {
  RequestReader reader;
  for (auto _ : state) {
    reader.feed(bytes);
    benchmark::DoNotOptimize(reader.next());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK_CAPTURE(read, small, kSmall);
BENCHMARK_CAPTURE(read, browser, kBrowser);

void read_in_slices(benchmark::State& state) {
  RequestReader reader;
  for (auto _ : state) {
    for (const char& c : kSmall) {
      reader.feed({&c, 1});
      benchmark::DoNotOptimize(reader.next());
    }
  }
}
BENCHMARK(read_in_slices);

void write(benchmark::State& state) {
  const Response response{.headers = {{"Content-Type", "application/json"}},
                          .body = std::string(80, 'x')};
  for (auto _ : state) benchmark::DoNotOptimize(to_bytes(response));
}
BENCHMARK(write);

/// The handler with a product from memory: the cost of answering, without Redis.
void answer(benchmark::State& state) {
  std::vector<lab::domain::Product> shop;
  for (auto& stocked : lab::domain::seed_products(100, 7)) shop.push_back(stocked.product);
  ShopProducts products(shop);
  ApiCounters counters;
  HttpApi api(
      products, [](const auto& done) { done(); }, counters);
  RequestReader reader;
  reader.feed(kSmall);
  const auto request = reader.next();
  for (auto _ : state)
    api.answer(*request, [](const Response& response) { benchmark::DoNotOptimize(&response); });
}
BENCHMARK(answer);

}  // namespace
}  // namespace blocking_vs_async_io
