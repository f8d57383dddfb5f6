#pragma once
// What every HTTP variant of the lab answers, written once, so that servers are compared and not handlers:
//   /               a short text
//   /echo           the request's body
//   /products/{id}  a product as JSON, from a ProductSource
//   /metrics        OpenMetrics
//   /report         a SlowCall: what a blocking library, done on the wrong thread, costs everybody else

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "domain/product.h"
#include "infra/redis.h"
#include "net/http.h"

namespace lab::net {

/// A product as JSON. Errors: not_found, and those of the cache's connection.
using ProductDone = std::function<void(Result<std::string>)>;

/// Where products come from. `done` is called once, at once or later, on the caller's thread or loop.
class ProductSource {
 public:
  virtual ~ProductSource() = default;
  virtual void find(std::int64_t id, ProductDone done) = 0;
};

/// Stands for a call that takes its time; `done` is called when it is over, on the caller's thread or loop.
using SlowCall = std::function<void(std::function<void()> done)>;

/// All threads and loops of a server count here.
struct ApiCounters {
  std::atomic<std::uint64_t> answered{0}, failed{0};  // failed: status 500 and above
  std::atomic<std::int64_t> connections{0};           // open now
};

/// As thread-safe as what it is given.
class HttpApi {
 public:
  using Done = std::function<void(Response)>;
  HttpApi(ProductSource& products, SlowCall slow, ApiCounters& counters)
      : products_(products), slow_(std::move(slow)), counters_(counters) {}

  /// `done` gets the answer, at once or later, with keep_alive as the request asked.
  void answer(const Request& request, Done done);
  ApiCounters& counters() { return counters_; }

 private:
  void product(std::string_view id, Done done);
  Response metrics() const;

  ProductSource& products_;
  SlowCall slow_;
  ApiCounters& counters_;
};

/// {"id":7,"name":"…","price_cents":1299,"version":1}
std::string to_json(const domain::Product& product);

/// Cache-aside over a blocking client: asks Redis, and on a miss the shop, whose answer it leaves in Redis. Thread-safe.
class CachedProducts : public ProductSource {
 public:
  /// `shop` by id, from 1. It and `redis` must outlive this.
  CachedProducts(infra::Redis& redis, const std::vector<domain::Product>& shop)
      : redis_(redis), shop_(shop) {}
  void find(std::int64_t id, ProductDone done) override;

  static std::string key(std::int64_t id);
  static constexpr std::chrono::milliseconds kTtl = 10min;

 private:
  infra::Redis& redis_;
  const std::vector<domain::Product>& shop_;
};

/// From the shop alone, without a cache. Thread-safe.
class ShopProducts : public ProductSource {
 public:
  explicit ShopProducts(const std::vector<domain::Product>& shop) : shop_(shop) {}
  void find(std::int64_t id, ProductDone done) override { done(product_json(shop_, id)); }

  /// Errors: not_found.
  static Result<std::string> product_json(const std::vector<domain::Product>& shop,
                                          std::int64_t id);

 private:
  const std::vector<domain::Product>& shop_;
};

}  // namespace lab::net
