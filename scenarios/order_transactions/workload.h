#pragma once
// Who buys what: a shop in which half of the orders want the product that is on sale, of which there are only a few, and the
// others want anything else, of which there is plenty. Who is told that the sale is sold out goes on to the next one, so
// a run sees the last item go many times, however fast the database is. The same for all variants.

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"
#include "harness/history.h"
#include "order_desk.h"

namespace order_transactions {

using lab::Nanos;

/// The kinds of operation in this scenario's histories. key: the request's number. value: the id that the call gave to its
/// order; of an answer, the order's id, or 0: sold out. aux: see Wish.
enum Kind : std::uint16_t { kPlace = 1, kRetry = 2 };

/// What an operation asked for, and what it met: packed into Operation::aux.
struct Wish {
  std::int64_t product = 0;
  std::int64_t quantity = 0;
  std::int64_t conflicts = 0;  // serialization failures that the database reported during the call
  bool ended_in_conflict = false;  // its last transaction was one of those
  std::int64_t packed() const;
  static Wish unpacked(std::int64_t aux);
};

inline constexpr std::uint32_t kClients = 8;  // of a fault run; each is a process
inline constexpr std::int64_t kPlenty = 20;   // products that do not run out
inline constexpr std::int64_t kPlentyStock = 100'000'000;
inline constexpr std::int64_t kSaleStock = 6;  // of each product that goes on sale
inline constexpr std::int64_t kUsers = 100;
inline constexpr std::int64_t kMostQuantity = 3;
inline constexpr Cents kPrice{1'999};

/// The products and requests of one fault run. Each has numbers of its own, so none has to clean up after another.
struct Season {
  std::int64_t number = 1;  // of the fault run, from 1
  std::int64_t sales = 1;   // products that go on sale, one after the other; the last one stays

  std::int64_t first_product() const { return number * 10'000'000; }
  std::int64_t product_on_sale(std::int64_t sale) const;
  /// Of a product on sale its number from 0, of another one -1.
  std::int64_t sale_of(std::int64_t product) const;
  /// Of all its products, at the beginning.
  std::vector<std::pair<ProductId, std::int64_t>> stock() const;
  std::int64_t first_request(std::uint32_t client) const;
  /// Order ids of the season are in [first, second).
  std::pair<std::int64_t, std::int64_t> order_ids() const;
};

/// Requests and the ids of the orders that their attempts would make.
inline constexpr std::int64_t kMostAttempts = 64;
inline OrderId order_of(std::int64_t request, std::int64_t attempt) {
  return OrderId{request * kMostAttempts + attempt};
}
inline std::int64_t request_of(OrderId order) {
  return order.value / kMostAttempts;
}
inline std::int64_t attempt_of(OrderId order) {
  return order.value % kMostAttempts;
}

/// What one client wants next. For one thread.
class Shopper {
 public:
  Shopper(const Season& season, lab::Random random) : season_(season), random_(random) {}

  /// Half of the time the product on sale; mostly one of it, sometimes two or three.
  Wish next();
  /// After three times "sold out" it turns to the next sale. Also for what an earlier life of the client was told.
  void told(const Wish& wish, bool sold_out);

 private:
  Season season_;
  lab::Random random_;
  std::int64_t sale_ = 0;
  int refusals_ = 0;
};

/// The client's name for what it wants done once.
std::string key_of(std::int64_t request);

OrderRequest request_for(std::int64_t number, std::int64_t attempt, const Wish& wish);

}  // namespace order_transactions
