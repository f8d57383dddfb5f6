#include "serving.h"

#include <signal.h>

#include <thread>

#include <nlohmann/json.hpp>

#include "core/result.h"
#include "domain/seed.h"
#include "harness/exit_status.h"
#include "net/server_process.h"

namespace blocking_vs_async_io {
namespace {

using lab::net::CachedProducts;
using lab::net::ShopProducts;
using nlohmann::json;

std::vector<lab::domain::Product> shop_of(std::uint64_t seed) {
  std::vector<lab::domain::Product> shop;
  for (auto& stocked : lab::domain::seed_products(kProducts, seed))
    shop.push_back(std::move(stocked.product));
  return shop;
}

/// Calls that a signal interrupts must go on: this one interrupts and does nothing else.
void let_signals_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGUSR1, &action, nullptr);
}

int serve_with(const ServeOrders& orders, const Serve& serve) {
  let_signals_interrupt();
  const auto shop = shop_of(orders.seed);
  std::unique_ptr<lab::infra::Redis> redis;
  std::unique_ptr<ProductSource> products = std::make_unique<ShopProducts>(shop);
  if (orders.redis) {
    redis = lab::infra::connect_redis(*orders.redis, {.batch_calls = true});
    products = std::make_unique<CachedProducts>(*redis, shop);
  }
  ApiCounters counters;
  HttpApi blocking(
      *products,
      [](const std::function<void()>& done) {
        std::this_thread::sleep_for(kSlowCall);  // this thread has nothing else to do
        done();
      },
      counters);
  serve({.port = orders.port,
         .listening = lab::net::tell_port,
         .stop = lab::net::stop_descriptor(),
         .threads = orders.threads,
         .most_connections = orders.most_connections,
         .cores = orders.cores,
         .limits = orders.limits,
         .counters = counters,
         .redis = orders.redis,
         .shop = shop,
         .blocking = blocking,
         .orders = orders});
  return lab::harness::kAsPromised;
}

json redis_to_json(const lab::infra::RedisAddress& redis) {
  return {{"unix_socket", redis.unix_socket},
          {"host", redis.host},
          {"port", redis.port},
          {"user", redis.user},
          {"password", redis.password},
          {"database", redis.database}};
}

lab::infra::RedisAddress redis_from_json(const json& from) {
  return {.unix_socket = from.at("unix_socket"),
          .host = from.at("host"),
          .port = from.at("port"),
          .user = from.at("user"),
          .password = from.at("password"),
          .database = from.at("database")};
}

}  // namespace

std::string to_json(const ServeOrders& orders) {
  json text{{"variant", orders.variant},
            {"port", orders.port},
            {"threads", orders.threads},
            {"cores", orders.cores},
            {"most_connections", orders.most_connections},
            {"request_ns", orders.limits.request.count()},
            {"idle_ns", orders.limits.idle.count()},
            {"send_ns", orders.limits.send.count()},
            {"seed", orders.seed}};
  if (orders.redis) text["redis"] = redis_to_json(*orders.redis);
  if (orders.shared_port) text["shared_port"] = *orders.shared_port;
  return text.dump();
}

ServeOrders from_json(const std::string& text) {
  const json from = json::parse(text);
  ServeOrders orders;
  orders.variant = from.at("variant");
  orders.port = from.at("port");
  orders.threads = from.at("threads");
  orders.cores = from.at("cores");
  orders.most_connections = from.at("most_connections");
  orders.limits.request = Nanos(from.at("request_ns").get<std::int64_t>());
  orders.limits.idle = Nanos(from.at("idle_ns").get<std::int64_t>());
  orders.limits.send = Nanos(from.at("send_ns").get<std::int64_t>());
  orders.seed = from.at("seed");
  if (from.contains("redis")) orders.redis = redis_from_json(from.at("redis"));
  if (from.contains("shared_port")) orders.shared_port = from.at("shared_port").get<int>();
  return orders;
}

std::string orders_of_worker(const Service& service, int port) {
  ServeOrders orders = service.orders;
  orders.shared_port = port;
  return to_json(orders);
}

int serve_main(const std::vector<Recipe>& recipes) {
  return lab::net::serve_role([&](const std::string& text) {
    const ServeOrders orders = from_json(text);
    for (const auto& recipe : recipes) {
      if (recipe.variant == orders.variant) return serve_with(orders, recipe.serve);
    }
    throw lab::Failure("there is no variant " + orders.variant);
  });
}

int worker_main(const Serve& worker) {
  return lab::net::serve_role(
      [&](const std::string& text) { return serve_with(from_json(text), worker); });
}

}  // namespace blocking_vs_async_io
