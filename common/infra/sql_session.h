#pragma once
// One connection to a database: what the pool lends. Not for use outside the room.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "infra/sql.h"

namespace lab::infra {

/// For one thread at a time. Statements are kept prepared.
class SqlSession {
 public:
  virtual ~SqlSession() = default;
  virtual Result<SqlResult> run(std::string_view statement, std::span<const SqlValue> values) = 0;
  /// As SqlConnection promises.
  virtual Result<bool> run_at_once(std::span<const SqlStatement> statements) = 0;
  /// "BEGIN", or what the engine needs for a transaction that writes.
  virtual std::string_view begin_statement() const = 0;
  /// Does this error end the transaction inside the server?
  virtual bool ends_transaction(const Error& error) const = 0;
};

/// Errors: refused, timeout, exhausted; all happened no.
Result<std::unique_ptr<SqlSession>> open_sqlite(const SqlAddress& address,
                                                const SqlOptions& options);
Result<std::unique_ptr<SqlSession>> open_mariadb(const SqlAddress& address,
                                                 const SqlOptions& options);
Result<std::unique_ptr<SqlSession>> open_postgres(const SqlAddress& address,
                                                  const SqlOptions& options);

}  // namespace lab::infra
