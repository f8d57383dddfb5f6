#pragma once
// The database as a variant uses it, seen by the scenario: which step a transaction has reached, what the database refused.
// The variant does not know.

#include <chrono>
#include <memory>
#include <string_view>

#include "infra/sql.h"

namespace order_transactions {

/// The steps of an order at which a client may be killed.
inline constexpr std::string_view kAfterBegin = "after_begin";
inline constexpr std::string_view kAfterStockUpdate = "after_stock_update";
inline constexpr std::string_view kAfterOrderInsert = "after_order_insert";
inline constexpr std::string_view kBeforeCommit = "before_commit";
/// After COMMIT, before the client has its reply: passed by the client itself (client.cpp).
inline constexpr std::string_view kAfterCommit = "after_commit";

/// Told by the thread that uses the connection.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void passed(std::string_view /*step*/) {}
  /// The same in two halves, for a step inside what goes to the database at once: is it the place to die, and to die there.
  virtual bool arrived(std::string_view /*step*/) { return false; }
  virtual void die(std::string_view /*step*/) {}
  /// The database said that another transaction was first: a deadlock, a serialization failure, a lock timeout. What a
  /// variant finds out by itself, it does not say: OrderDesk::retries() does.
  virtual void lost_to_another() {}
  virtual void begun() {}
  virtual void committed() {}
  /// Right before a COMMIT is sent, or a statement that commits by itself.
  virtual void committing() {}
};

/// SQLite is a call away, not a network: without a round trip per statement it would teach that nobody ever comes in between.
inline constexpr std::chrono::microseconds kEmbeddedRoundTrip{100};

/// Adds the round trip on SQLite. `inner` and `observer` must outlive it.
std::unique_ptr<lab::infra::Sql> observed(lab::infra::Sql& inner, Observer& observer);

}  // namespace order_transactions
