#include "net/http_api.h"

#include <fmt/format.h>

#include <charconv>

#include <nlohmann/json.hpp>

namespace lab::net {
namespace {

constexpr std::string_view kProducts = "/products/";
constexpr Nanos kCacheLimit = 1s;

/// "OK" as JSON, or what its error means to a client.
Response answer_of(Result<std::string> found) {
  if (!found) {
    const bool none = found.error().code == ErrorCode::not_found;
    return none ? plain(404, "there is no such product\n")
                : plain(503, found.error().message + "\n");
  }
  return {.headers = {{"Content-Type", "application/json"}}, .body = std::move(*found)};
}

}  // namespace

void HttpApi::answer(const Request& request, Done done) {
  const bool head = request.method == "HEAD";
  Done finish = [this, head, keep_alive = request.keep_alive,
                 done = std::move(done)](Response response) {
    response.keep_alive = keep_alive;
    response.without_body = head;
    (response.status >= 500 ? counters_.failed : counters_.answered)
        .fetch_add(1, std::memory_order_relaxed);
    done(std::move(response));
  };
  const auto path = request.path();
  if (path == "/echo")
    return finish(
        {.headers = {{"Content-Type", "application/octet-stream"}}, .body = request.body});
  if (request.method != "GET" && !head) {
    Response response = plain(405, "only GET and HEAD\n");
    response.headers.push_back({"Allow", "GET, HEAD"});
    return finish(std::move(response));
  }
  if (path.starts_with(kProducts)) return product(path.substr(kProducts.size()), std::move(finish));
  if (path == "/") return finish(plain(200, "system design lab\n"));
  if (path == "/metrics") return finish(metrics());
  if (path == "/report") {
    return slow_([finish = std::move(finish)] { finish(plain(200, "the report\n")); });
  }
  finish(plain(404, "there is nothing here\n"));
}

void HttpApi::product(std::string_view id, Done done) {
  std::int64_t number = 0;
  const auto read = std::from_chars(id.data(), id.data() + id.size(), number);
  if (read.ec != std::errc() || read.ptr != id.data() + id.size() || number < 1)
    return done(plain(404, "there is no such product\n"));
  products_.find(number, [done = std::move(done)](Result<std::string> found) {
    done(answer_of(std::move(found)));
  });
}

Response HttpApi::metrics() const {
  return {
      .headers = {{"Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"}},
      .body = fmt::format("# TYPE requests counter\n"
                          "# HELP requests Answered requests.\n"
                          "requests_total{{outcome=\"ok\"}} {}\n"
                          "requests_total{{outcome=\"failed\"}} {}\n"
                          "# TYPE connections gauge\n"
                          "# HELP connections Open now.\n"
                          "connections {}\n"
                          "# EOF\n",
                          counters_.answered.load(), counters_.failed.load(),
                          counters_.connections.load())};
}

std::string to_json(const domain::Product& product) {
  return nlohmann::ordered_json{{"id", product.id.value},
                                {"name", product.name},
                                {"price_cents", product.price.value},
                                {"version", product.version}}
      .dump();
}

std::string CachedProducts::key(std::int64_t id) {
  return fmt::format("product:{}", id);
}

void CachedProducts::find(std::int64_t id, ProductDone done) {
  const infra::RedisCall limit{.timeout = kCacheLimit};
  auto cached = redis_.get(key(id), limit);
  if (cached && *cached) return done(std::move(**cached));
  auto json = ShopProducts::product_json(shop_, id);
  if (json && cached) (void)redis_.set(key(id), *json, {.ttl = kTtl}, limit);
  done(std::move(json));
}

Result<std::string> ShopProducts::product_json(const std::vector<domain::Product>& shop,
                                               std::int64_t id) {
  if (id < 1 || static_cast<std::size_t>(id) > shop.size())
    return Error{ErrorCode::not_found, Happened::no, fmt::format("there is no product {}", id)};
  return to_json(shop[static_cast<std::size_t>(id) - 1]);
}

}  // namespace lab::net
