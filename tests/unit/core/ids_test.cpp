#include "core/ids.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace lab {
namespace {

using ProductId = Id<struct ProductTag>;
using OrderId = Id<struct OrderTag>;

TEST(Id, OfOneKindDoesNotConvertToAnother) {
  EXPECT_FALSE((std::is_convertible_v<ProductId, OrderId>));
  EXPECT_FALSE((std::is_constructible_v<OrderId, ProductId>));
}

TEST(Id, IsOrderedAndCanBeAKey) {
  EXPECT_LT(ProductId{1}, ProductId{2});
  const std::unordered_set<ProductId> seen{ProductId{1}, ProductId{2}, ProductId{1}};
  EXPECT_EQ(seen.size(), 2U);
}

}  // namespace
}  // namespace lab
