#include "domain/seed.h"

#include <gtest/gtest.h>

#include <set>

namespace lab::domain {
namespace {

TEST(Seed, ProductsAreTheSameOnEveryMachine) {
  const auto products = seed_products(3, 42);
  ASSERT_EQ(products.size(), 3u);
  EXPECT_EQ(products[0].product.name, "Silent shelf no. 1");
  EXPECT_EQ(products[2].product.price, Cents{33'099});
}

TEST(Seed, AnotherSeedGivesOtherProducts) {
  EXPECT_NE(seed_products(20, 1), seed_products(20, 2));
}

TEST(Seed, ALongerListBeginsWithTheShorterOne) {
  auto longer = seed_products(100, 5);
  longer.resize(10);
  EXPECT_EQ(longer, seed_products(10, 5));
}

TEST(Seed, ProductsAreSound) {
  std::set<std::string> names;
  std::int64_t id = 0;
  for (const auto& [product, stock] : seed_products(1000, 7)) {
    EXPECT_EQ(product.id.value, ++id);
    EXPECT_TRUE(names.insert(product.name).second);
    EXPECT_GE(product.price, Cents{99});
    EXPECT_LE(product.price, Cents{49'999});
    EXPECT_GE(stock, 10);
    EXPECT_LE(stock, 999);
    EXPECT_EQ(product.version, 1);
  }
}

TEST(Seed, UsersHaveSoundAndUniqueAddresses) {
  std::set<std::string> emails;
  for (const User& user : seed_users(1000, 7)) {
    EXPECT_TRUE(check_email(user.email)) << user.email;
    EXPECT_TRUE(emails.insert(user.email).second);
    EXPECT_FALSE(user.name.empty());
  }
}

TEST(Seed, OrdersAreSoundAndPricedAsTheProducts) {
  const auto products = seed_products(3, 7);
  for (const Order& order : seed_orders(500, 7, 10, products)) {
    ASSERT_TRUE(check_order(order));
    EXPECT_GE(order.user.value, 1);
    EXPECT_LE(order.user.value, 10);
    for (const OrderLine& line : order.lines) {
      EXPECT_EQ(line.unit_price,
                products.at(static_cast<std::size_t>(line.product.value - 1)).product.price);
    }
  }
}

TEST(Seed, NothingAskedIsNothingMade) {
  EXPECT_TRUE(seed_products(0, 1).empty());
  EXPECT_TRUE(seed_users(0, 1).empty());
  EXPECT_THROW(seed_orders(1, 1, 1, {}), Failure);
}

}  // namespace
}  // namespace lab::domain
