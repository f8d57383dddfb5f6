#pragma once
// The databases under test.

#include <memory>
#include <optional>

#include "infra/sql.h"
#include "support.h"

namespace lab::infra::test {

/// One database for the whole program, made when first asked for.
class Database {
 public:
  /// Throws when it cannot be started.
  static Database& of(SqlEngine engine);

  const SqlAddress& address() const { return address_; }
  /// nullptr for SQLite.
  servers::SqlServer* server() { return server_.get(); }

  explicit Database(SqlEngine engine);

 private:
  std::optional<lab::test::TestFolder> folder_;
  std::unique_ptr<servers::SqlServer> server_;
  SqlAddress address_;
};

/// What must be installed for this engine; SQLite is always there.
servers::Installed needed_for(SqlEngine engine);

}  // namespace lab::infra::test
