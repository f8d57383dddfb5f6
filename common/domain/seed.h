#pragma once
// Demo data: the same for the same seed on every machine, so that a run can be repeated.

#include <cstdint>
#include <vector>

#include "domain/order.h"
#include "domain/product.h"
#include "domain/user.h"

namespace lab::domain {

/// Ids 1 to count, unique e-mail addresses of the reserved domain example.com (RFC 2606).
std::vector<User> seed_users(std::int64_t count, std::uint64_t seed);

/// Ids 1 to count, unique names, prices from 0.99 to 499.99, stock from 10 to 999, version 1.
/// The first products of a longer list are those of a shorter one.
std::vector<StockedProduct> seed_products(std::int64_t count, std::uint64_t seed);

/// Ids 1 to count, of the first `users` and from the given products, one to four lines each, all
/// just placed. `products` must not be empty and `users` at least 1.
std::vector<Order> seed_orders(std::int64_t count, std::uint64_t seed, std::int64_t users,
                               const std::vector<StockedProduct>& products);

}  // namespace lab::domain
