#pragma once
// PostgreSQL, at READ COMMITTED (its default), REPEATABLE READ (which is snapshot isolation) or
// SERIALIZABLE (serializable snapshot isolation: Cahill 2008, Ports & Grittner 2012).
//
// Readers never wait. Who writes what another has written waits for it, and from REPEATABLE READ on
// fails when the other commits. SERIALIZABLE lets everyone go on and aborts one of those whose
// dependencies could form a cycle.

#include "isolation_level.h"

namespace isolation_matrix {

class Postgres : public IsolationLevel {
 public:
  explicit Postgres(std::string level) : level_(std::move(level)) {}

  SqlEngine engine() const override { return SqlEngine::postgres; }

  std::vector<std::string> prepare() const override {
    return {"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL " + level_,
            "SET lock_timeout = '10s'"};
  }

  // From the lock table itself: it is right as soon as the one who was in the way has gone.
  std::string count_waiting() const override {
    return "SELECT COUNT(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0";
  }

  std::string ask_default() const override {
    return "SELECT setting FROM pg_settings WHERE name = 'default_transaction_isolation'";
  }

 private:
  std::string level_;
};

}  // namespace isolation_matrix
