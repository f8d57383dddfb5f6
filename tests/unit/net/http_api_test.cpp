#include "net/http_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "infra/embedded_redis.h"

namespace lab::net {
namespace {

using testing::HasSubstr;

class Api : public testing::Test {
 protected:
  Response answer(const std::string& method, const std::string& target, std::string body = {}) {
    std::optional<Response> response;
    const Request request{.method = method, .target = target, .body = std::move(body)};
    api_.answer(request, [&](Response given) { response = std::move(given); });
    return response.value();
  }

  const std::vector<domain::Product> shop_{{{1}, "Kettle", {2'495}, 3}, {{2}, "Lamp", {1'999}, 1}};
  ShopProducts products_{shop_};
  ApiCounters counters_;
  int slow_calls_ = 0;
  HttpApi api_{products_,
               [this](const auto& done) {
                 ++slow_calls_;
                 done();
               },
               counters_};
};

TEST_F(Api, AnswersEachPath) {
  EXPECT_EQ(answer("GET", "/").status, 200);
  EXPECT_EQ(answer("POST", "/echo?x", "bytes").body, "bytes");
  EXPECT_EQ(answer("GET", "/products/2").body,
            R"({"id":2,"name":"Lamp","price_cents":1999,"version":1})");
  EXPECT_EQ(answer("GET", "/report").status, 200);
  EXPECT_EQ(slow_calls_, 1);
  EXPECT_THAT(answer("GET", "/metrics").body, HasSubstr("requests_total{outcome=\"ok\"} 4\n"));
}

TEST_F(Api, RefusesWhatIsNotThere) {
  for (const char* target : {"/nothing", "/products/", "/products/0", "/products/3", "/products/-1",
                             "/products/1x", "/products/99999999999999999999"})
    EXPECT_EQ(answer("GET", target).status, 404) << target;
  EXPECT_EQ(answer("DELETE", "/products/1").status, 405);
}

TEST_F(Api, AnswersHeadWithoutABody) {
  const auto response = answer("HEAD", "/");
  EXPECT_TRUE(response.without_body);
  EXPECT_TRUE(to_bytes(response).ends_with("\r\n\r\n"));
}

TEST_F(Api, AsksTheShopOnceAndThenTheCache) {
  infra::EmbeddedRedis server({.round_trip = Nanos{0}});
  const auto redis = server.client();
  CachedProducts cached(*redis, shop_);
  const auto find = [&](std::int64_t id) {
    std::optional<Result<std::string>> found;
    cached.find(id, [&](Result<std::string> given) { found = std::move(given); });
    return *found;
  };
  const std::string json = find(1).value();
  EXPECT_EQ(redis->get(CachedProducts::key(1)).value(), json);
  ASSERT_TRUE(redis->set(CachedProducts::key(1), "from the cache"));
  EXPECT_EQ(find(1).value(), "from the cache");
  EXPECT_EQ(find(3).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace lab::net
