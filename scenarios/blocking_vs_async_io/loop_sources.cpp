#include <boost/asio/error.hpp>

#include "loop.h"
#include "loop_redis.h"

namespace blocking_vs_async_io {

using lab::net::CachedProducts;
using lab::net::ProductDone;
using lab::net::ShopProducts;

namespace {

/// Cache-aside, as CachedProducts does it, without waiting.
class LoopProducts : public ProductSource {
 public:
  LoopProducts(asio::io_context& context, const lab::infra::RedisAddress& redis,
               const std::vector<lab::domain::Product>& shop)
      : redis_(context, redis), shop_(shop) {}

  void find(std::int64_t id, ProductDone done) override {
    redis_.command({"GET", CachedProducts::key(id)},
                   [this, id, done = std::move(done)](LoopRedis::Reply cached) {
                     if (cached && !cached->is_nil()) return done(std::move(cached->text));
                     auto json = ShopProducts::product_json(shop_, id);
                     if (json && cached) keep(id, *json);
                     done(std::move(json));
                   });
  }

 private:
  void keep(std::int64_t id, const std::string& json) {
    redis_.command(
        {"SET", CachedProducts::key(id), json, "PX", std::to_string(CachedProducts::kTtl.count())},
        [](const LoopRedis::Reply&) {});
  }

  LoopRedis redis_;
  const std::vector<lab::domain::Product>& shop_;
};

}  // namespace

Loop::Sources never_waiting(asio::io_context& context, const Service& service) {
  Loop::Sources sources;
  if (service.redis) {
    sources.products = std::make_unique<LoopProducts>(context, *service.redis, service.shop);
  } else {
    sources.products = std::make_unique<ShopProducts>(service.shop);
  }
  sources.slow = [&context](std::function<void()> done) {
    auto timer = std::make_shared<asio::steady_timer>(context, kSlowCall);
    timer->async_wait([timer, done = std::move(done)](error_code error) {
      if (!error) done();
    });
  };
  return sources;
}

}  // namespace blocking_vs_async_io
