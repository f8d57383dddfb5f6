#pragma once
// The subject: one engine at one isolation level. A variant says how a connection gets there and how
// the engine is asked who waits; what is done at that level, the scripts say (workload.h), and they
// are the same for all.

#include <string>
#include <vector>

#include "infra/sql.h"

namespace isolation_matrix {

using lab::infra::SqlEngine;

class IsolationLevel {
 public:
  virtual ~IsolationLevel() = default;

  virtual SqlEngine engine() const = 0;

  /// Run once on every connection, outside a transaction. Afterwards each transaction of that
  /// connection is at this level, and gives up waiting for a lock after some seconds.
  virtual std::vector<std::string> prepare() const = 0;

  /// A query for one number: how many transactions of the whole server wait for a lock at this
  /// moment. Empty when the engine can't be asked; then who does not answer for a while counts as
  /// waiting.
  virtual std::string count_waiting() const = 0;

  /// A query for one text: the level that a connection has when nobody asks for another.
  virtual std::string ask_default() const = 0;
};

}  // namespace isolation_matrix
