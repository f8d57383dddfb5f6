#pragma once
// MariaDB (InnoDB), against PostgreSQL: reads come from a snapshot, writes go to the newest
// version, whatever the snapshot shows. So REPEATABLE READ loses updates; innodb_snapshot_isolation
// (MDEV-35124; ON by default since 11.6.2) makes such a write fail with 1020 instead.
//
// SERIALIZABLE is two-phase locking: every read takes a shared lock, and what would be an anomaly
// becomes a wait or a deadlock.

#include "isolation_level.h"

namespace isolation_matrix {

class Mariadb : public IsolationLevel {
 public:
  enum class Snapshot { off, on };

  Mariadb(std::string level, Snapshot snapshot) : level_(std::move(level)), snapshot_(snapshot) {}

  SqlEngine engine() const override { return SqlEngine::mariadb; }

  std::vector<std::string> prepare() const override {
    return {"SET SESSION TRANSACTION ISOLATION LEVEL " + level_,
            std::string("SET SESSION innodb_snapshot_isolation = ") +
                (snapshot_ == Snapshot::on ? "ON" : "OFF"),
            "SET SESSION innodb_lock_wait_timeout = 10"};
  }

  // Not information_schema.innodb_trx: it is renewed only when nobody asked for 100 ms.
  std::string count_waiting() const override {
    return "SELECT CAST(variable_value AS INTEGER) FROM information_schema.global_status "
           "WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'";
  }

  std::string ask_default() const override {
    return "SELECT CONCAT(@@global.tx_isolation, ', innodb_snapshot_isolation ', "
           "IF(@@global.innodb_snapshot_isolation, 'ON', 'OFF'))";
  }

 private:
  std::string level_;
  Snapshot snapshot_;
};

}  // namespace isolation_matrix
