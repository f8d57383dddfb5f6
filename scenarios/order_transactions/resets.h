#pragma once
// Connections that are reset while a COMMIT is under way: the classic unknown outcome. Half of the resets come before the
// COMMIT has reached the database, half when its answer is on the way back; the client sees the same.

#include <cstdint>
#include <memory>

#include "infra/sql.h"

namespace order_transactions {

/// A proxy before the database, and the plan of its resets. For one thread.
class Resets {
 public:
  /// `folder` holds the proxy's socket. Throws Failure when it cannot listen.
  Resets(const lab::infra::SqlAddress& database, const std::string& folder, std::uint64_t seed);
  ~Resets();

  /// The database behind the proxy.
  lab::infra::SqlAddress address() const;
  /// Right before a commit: now and then the connection is reset a moment later.
  void committing();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace order_transactions
