#pragma once
// The shop's books: what is put into the database before a fault run and what is read from it, during and after.

#include <atomic>
#include <memory>
#include <thread>

#include "checks.h"
#include "infra/sql.h"
#include "recipe.h"
#include "workload.h"

namespace order_transactions {

/// All throw Failure when the database does not answer: then nothing can be judged.

/// Takes away what an earlier run left in a database of the user's, and registers the customers.
void prepare_books(lab::infra::Sql& sql, std::uint64_t seed);
void stock_up(lab::infra::Sql& sql, const std::vector<std::pair<ProductId, std::int64_t>>& stock);

/// Stocks, orders and orphans of the season, in the end.
void read_books(lab::infra::Sql& sql, const Season& season, const Recipe& recipe,
                Evidence& evidence);

/// Reads all stocks of the season again and again, each time in one statement, on a thread of its own. A database that does
/// not answer is asked again.
class Watcher {
 public:
  Watcher(lab::infra::Sql& sql, const Season& season, lab::Instant zero);
  ~Watcher();
  Watched stop();

 private:
  void look();

  lab::infra::Sql& sql_;
  const Season season_;
  const lab::Instant zero_;
  Watched seen_;
  std::atomic<bool> stop_{false};
  std::jthread thread_;
};

}  // namespace order_transactions
