#include "domain/seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/random.h"

namespace lab::domain {
namespace {

constexpr std::array<std::string_view, 16> first_names{
    "Ada",  "Barbara", "Claude", "Donald", "Edsger",   "Frances", "Grace", "Hedy",
    "Ivan", "Jean",    "Ken",    "Leslie", "Margaret", "Niklaus", "Radia", "Tony"};
constexpr std::array<std::string_view, 16> last_names{
    "Abel", "Bauer",  "Costa", "Dubois", "Evans",  "Fischer", "Garcia", "Horvat",
    "Ito",  "Jansen", "Kaur",  "Lopez",  "Moreau", "Novak",   "Okafor", "Silva"};
constexpr std::array<std::string_view, 12> looks{"Small",   "Large",  "Blue",   "Green",
                                                 "Folding", "Wooden", "Copper", "Silent",
                                                 "Bright",  "Sturdy", "Light",  "Round"};
constexpr std::array<std::string_view, 16> things{
    "lamp",   "kettle",  "chair", "desk",  "mug",    "clock",  "basket", "shelf",
    "teapot", "blanket", "vase",  "stool", "mirror", "carpet", "candle", "tray"};

// Purposes of the independent streams; each row has its own, so row 7 does not depend on how many
// there are.
Random row_random(std::uint64_t seed, std::uint64_t purpose, std::int64_t id) {
  return Random(seed).stream(purpose).stream(static_cast<std::uint64_t>(id));
}

std::int64_t between(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

template <std::size_t N>
std::string_view pick(Random& random, const std::array<std::string_view, N>& words) {
  return words[random.below(N)];
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

Order seed_order(std::int64_t id, Random random, std::int64_t users,
                 const std::vector<StockedProduct>& products) {
  Order order{OrderId{id}, UserId{between(random, 1, users)}, OrderState::placed, {}};
  const std::size_t wanted = std::min<std::size_t>(1 + random.below(4), products.size());
  std::set<ProductId> chosen;
  while (chosen.size() < wanted) {
    const Product& product = products[random.below(products.size())].product;
    if (!chosen.insert(product.id).second) continue;
    order.lines.push_back({product.id, between(random, 1, 5), product.price});
  }
  return order;
}

}  // namespace

std::vector<User> seed_users(std::int64_t count, std::uint64_t seed) {
  std::vector<User> users;
  for (std::int64_t id = 1; id <= count; ++id) {
    Random random = row_random(seed, 1, id);
    const auto first = pick(random, first_names);
    const auto last = pick(random, last_names);
    users.push_back({UserId{id}, fmt::format("{}.{}.{}@example.com", lower(first), lower(last), id),
                     fmt::format("{} {}", first, last)});
  }
  return users;
}

std::vector<StockedProduct> seed_products(std::int64_t count, std::uint64_t seed) {
  std::vector<StockedProduct> products;
  for (std::int64_t id = 1; id <= count; ++id) {
    Random random = row_random(seed, 2, id);
    const auto look = pick(random, looks);
    const auto thing = pick(random, things);
    const Cents price{between(random, 0, 499) * 100 + 99};
    const std::int64_t stock = between(random, 10, 999);
    products.push_back(
        {{ProductId{id}, fmt::format("{} {} no. {}", look, thing, id), price, 1}, stock});
  }
  return products;
}

std::vector<Order> seed_orders(std::int64_t count, std::uint64_t seed, std::int64_t users,
                               const std::vector<StockedProduct>& products) {
  if (products.empty() || users < 1) throw Failure("seed_orders needs a product and a user");
  std::vector<Order> orders;
  for (std::int64_t id = 1; id <= count; ++id) {
    orders.push_back(seed_order(id, row_random(seed, 3, id), users, products));
  }
  return orders;
}

}  // namespace lab::domain
