#pragma once
// What is judged after a fault run: the evidence, and the invariants over it.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/history.h"
#include "workload.h"

namespace order_transactions {

/// An order as the database holds it in the end, with its line.
struct StoredOrder {
  OrderId id;
  std::int64_t product = 0;  // 0: without a line
  std::int64_t quantity = 0;
};

/// A row whose counterpart is missing or does not fit: "there is no payment for order" 64.
struct Orphan {
  std::string what;
  std::int64_t id = 0;
};

/// What the watcher saw, one consistent read after the other, while the load ran.
struct Watched {
  std::uint64_t snapshots = 0;
  std::uint64_t below_zero = 0;         // snapshots in which some stock was
  std::int64_t product = 0, stock = 0;  // in the first of those
  Nanos at{};
};

struct Evidence {
  explicit Evidence(lab::Instant zero) : history(zero) {}

  lab::harness::History history;
  std::map<std::int64_t, std::int64_t> initial;  // stock by product, at the beginning
  std::map<std::int64_t, std::int64_t> left;     // and in the end
  std::vector<StoredOrder> orders;               // all orders in the end
  std::vector<Orphan> orphans;                   // of all kinds that were looked for
  Watched watched;
};

std::vector<lab::harness::Check<Evidence>> checks();

/// Sold beyond what there was, and orders that a repeated request made too many: 0 where the checks hold.
std::int64_t oversold(const Evidence& evidence);
std::int64_t duplicates(const Evidence& evidence);
/// Items that are neither in stock nor sold.
std::int64_t undersold(const Evidence& evidence);

}  // namespace order_transactions
