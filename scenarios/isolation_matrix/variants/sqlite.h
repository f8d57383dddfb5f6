#pragma once
// SQLite, the simplest of all: one writer at a time. A transaction that means to write asks for that
// when it begins (BEGIN IMMEDIATE), so what the others solve by locks on rows, snapshots and aborts
// is solved by waiting at the door.

#include "isolation_level.h"

namespace isolation_matrix {

class Sqlite : public IsolationLevel {
 public:
  SqlEngine engine() const override { return SqlEngine::sqlite; }
  std::vector<std::string> prepare() const override { return {}; }
  std::string count_waiting() const override { return {}; }
  std::string ask_default() const override { return "SELECT 'serializable'"; }
};

}  // namespace isolation_matrix
