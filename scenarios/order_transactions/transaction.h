#pragma once
// What the variants with a transaction share: how one begins and how it ends, whatever happens inside.

#include "infra/sql.h"
#include "order_desk.h"

namespace order_transactions {

using lab::infra::Sql;
using lab::infra::SqlConnection;
using lab::infra::SqlEngine;

enum class Isolation { engines_default, serializable };

/// SQLite knows one level only, and it is serializable.
inline Result<void> begin(SqlConnection& connection, Isolation isolation) {
  constexpr const char* serializable = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
  const bool asks = isolation == Isolation::serializable;
  if (asks && connection.engine() == SqlEngine::mariadb) {  // is about the next transaction
    if (auto set = connection.run(serializable); !set) return set.error();
  }
  if (auto begun = connection.begin(); !begun) return begun;
  if (asks && connection.engine() == SqlEngine::postgres) {  // is about this one
    if (auto set = connection.run(serializable); !set) return set.error();
  }
  return {};
}

/// Commits what `body` did, and takes all of it back when it answers sold out or fails. Explicitly: after a lock wait that
/// took too long (1205) MariaDB has taken back the last statement only, and a COMMIT would keep the rest.
template <class Body>
Result<Answer> in_transaction(Sql& sql, Isolation isolation, const Body& body) {
  auto connection = sql.acquire();
  if (!connection) return connection.error();
  SqlConnection& transaction = **connection;
  if (auto begun = begin(transaction, isolation); !begun) return begun.error();
  Result<Answer> answer = body(transaction);
  if (!answer || answer->sold_out()) {
    (void)transaction.rollback();
    if (answer) return answer;
    Error error = answer.error();
    error.happened =
        lab::Happened::no;  // no COMMIT was sent, so a connection that broke takes it back, too
    return error;
  }
  if (auto committed = transaction.commit(); !committed) return committed.error();
  return answer;
}

template <class Body>
Result<Answer> in_transaction(Sql& sql, const Body& body) {
  return in_transaction(sql, Isolation::engines_default, body);
}

}  // namespace order_transactions
