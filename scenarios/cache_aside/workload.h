#pragma once
// Who asks for what: a shop in which 98 % of the operations read a product and 2 % change a price,
// with a few products wanted by nearly everybody. The same for all variants.

#include <atomic>
#include <cstdint>

#include "catalog.h"
#include "harness/load.h"
#include "harness/zipf.h"

namespace cache_aside {

/// The kinds of operation in this scenario's histories. key: the product. value: its version, as
/// read or as written. aux: its price.
enum Kind : std::uint16_t { kRead = 1, kWrite = 2 };

// Products by id: first the catalogue that clients ask for, then some that only the scripted parts touch.
inline constexpr std::int64_t kProducts = 200;
inline constexpr std::int64_t kHotProduct = kProducts + 1;  // everybody asks for it when it expires
inline constexpr std::int64_t kRacedProduct = kHotProduct + 1;  // a writer against a slow reader
inline constexpr std::int64_t kRacedProducts = 5;               // so many, from kRacedProduct on
inline constexpr std::int64_t kAbandonedProduct =
    kRacedProduct + kRacedProducts;  // its writer dies
inline constexpr std::int64_t kAllProducts = kAbandonedProduct;

inline constexpr std::uint32_t kNodes = 2;
inline constexpr std::uint32_t kClients = 16;  // of the closed loops; half of them on each node
inline constexpr double kWriteShare = 0.02;
inline constexpr double kZipfExponent = 0.99;  // as in YCSB (Cooper et al. 2010)

class Workload {
 public:
  explicit Workload(double write_share = kWriteShare)
      : keys_(kProducts, kZipfExponent), write_share_(write_share) {}

  /// One operation of the mix, on the client's node.
  lab::harness::Operation operate(Catalog& node, lab::Random& random);

  static lab::harness::Operation read(Catalog& node, ProductId id);
  /// Sets a price that no other write of the run sets, so that a value read names the write that
  /// made it.
  lab::harness::Operation write(Catalog& node, ProductId id);
  Cents next_price() { return Cents{next_price_.fetch_add(1)}; }

 private:
  lab::harness::Zipf keys_;
  double write_share_;
  std::atomic<std::int64_t> next_price_{1'000'000};
};

}  // namespace cache_aside
