#include "workload.h"

#include <algorithm>

namespace order_transactions {
namespace {

constexpr std::int64_t kRequestsPerSeason = 1'000'000'000;
constexpr std::int64_t kRequestsPerClient = 50'000'000;

}  // namespace

std::int64_t Wish::packed() const {
  return ((product * 16 + quantity) * 2 + (ended_in_conflict ? 1 : 0)) * 256 +
         std::min<std::int64_t>(conflicts, 255);
}

Wish Wish::unpacked(std::int64_t aux) {
  return {.product = aux / 256 / 2 / 16,
          .quantity = aux / 256 / 2 % 16,
          .conflicts = aux % 256,
          .ended_in_conflict = aux / 256 % 2 == 1};
}

std::int64_t Season::product_on_sale(std::int64_t sale) const {
  return first_product() + kPlenty + std::min(sale, sales - 1);
}

std::int64_t Season::sale_of(std::int64_t product) const {
  return std::max<std::int64_t>(-1, product - first_product() - kPlenty);
}

std::vector<std::pair<ProductId, std::int64_t>> Season::stock() const {
  std::vector<std::pair<ProductId, std::int64_t>> all;
  for (std::int64_t i = 0; i < kPlenty + sales; ++i)
    all.emplace_back(ProductId{first_product() + i}, i < kPlenty ? kPlentyStock : kSaleStock);
  return all;
}

std::int64_t Season::first_request(std::uint32_t client) const {
  return number * kRequestsPerSeason + client * kRequestsPerClient;
}

std::pair<std::int64_t, std::int64_t> Season::order_ids() const {
  return {number * kRequestsPerSeason * kMostAttempts,
          (number + 1) * kRequestsPerSeason * kMostAttempts};
}

Wish Shopper::next() {
  const std::int64_t product =
      random_.chance(0.5)
          ? season_.product_on_sale(sale_)
          : season_.first_product() + static_cast<std::int64_t>(random_.below(kPlenty));
  const std::int64_t quantity =
      random_.chance(0.8) ? 1 : 1 + static_cast<std::int64_t>(random_.below(kMostQuantity));
  return {.product = product, .quantity = quantity};
}

void Shopper::told(const Wish& wish, bool sold_out) {
  const std::int64_t sale = season_.sale_of(wish.product);
  if (sale > sale_) {
    sale_ = sale;
    refusals_ = 0;
  }
  if (!sold_out || sale != sale_ || ++refusals_ < 3) return;
  ++sale_;
  refusals_ = 0;
}

std::string key_of(std::int64_t request) {
  return "request-" + std::to_string(request);
}

OrderRequest request_for(std::int64_t number, std::int64_t attempt, const Wish& wish) {
  return {.id = order_of(number, attempt),
          .user = UserId{1 + number % kUsers},
          .product = ProductId{wish.product},
          .quantity = wish.quantity,
          .unit_price = kPrice,
          .key = key_of(number)};
}

}  // namespace order_transactions
