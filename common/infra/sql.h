#pragma once
// SQL behind a small interface: SQLite (the embedded twin) and MariaDB/MySQL over Poco::Data,
// PostgreSQL over libpq (why not Poco: sql_postgres.cpp). The same statements run on all three; one
// contract suite too: tests/contract/sql_contract_test.cpp.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::infra {

enum class SqlEngine { sqlite, mariadb, postgres };
std::string_view name(SqlEngine engine);

using SqlValue =
    std::variant<std::monostate, std::int64_t, double, std::string>;  // monostate is NULL
using SqlRow = std::vector<SqlValue>;

/// What comes back: integers and booleans as std::int64_t, texts as std::string. Exact decimals (SUM
/// of a BIGINT) come as std::int64_t when they are whole and as double when not. These two read a
/// number either way; they throw std::bad_variant_access for NULL and text.
std::int64_t as_integer(const SqlValue& value);
double as_double(const SqlValue& value);

/// One of several statements that go together.
struct SqlStatement {
  std::string_view text;
  std::vector<SqlValue> values;
};

struct SqlResult {
  std::vector<SqlRow> rows;
  std::int64_t affected =
      0;  // rows matched by an INSERT, UPDATE or DELETE; 0 when the statement returned rows
};

struct SqlAddress {
  SqlEngine engine = SqlEngine::sqlite;
  std::string path;         // SQLite: the file
  std::string unix_socket;  // MariaDB: the socket; PostgreSQL: the folder that holds it
  std::string host = "127.0.0.1";
  int port = 0;
  std::string user, password, database;  // the password is never logged

  /// sqlite:///path, mysql://user:password@host[:port]/database,
  /// postgres://user:password@host[:port]/database; the last two also with ?socket=/path.
  /// Odd characters are %-encoded.
  static Result<SqlAddress> parse(std::string_view url);
  /// What parse() reads. Holds the password: not for logs or command lines.
  std::string url() const;
  std::string display() const;
};

struct SqlOptions {
  std::size_t connections = 16;                     // opened on first use, at most this many
  std::chrono::milliseconds acquire_timeout{5000};  // wait for a free connection, then `exhausted`
  std::chrono::milliseconds connect_timeout{2000};
};

/// One connection, for one thread at a time. Prepared statements only: every statement is prepared
/// once per connection and then reused; values are bound, never pasted. Placeholders are written
/// `?` for all engines.
///
/// Errors: refused (no) · timeout (connecting; no) · closed (unknown; no while the statement was
/// still being prepared) · conflict (deadlock, serialization failure, lock timeout, "database is
/// locked", duplicate key; no) · exhausted (no connection free, server or disk full; no) · invalid
/// (bad SQL; no). `native_code` keeps MariaDB's errno, PostgreSQL's SQLSTATE or SQLite's result
/// code. A statement's text is kept for as long as its connection: do not make up new ones without
/// end.
///
/// Some errors end the transaction inside the server (all of them on PostgreSQL, a deadlock on
/// MariaDB). From then on every statement, and commit(), return that same error until rollback().
class SqlConnection {
 public:
  virtual ~SqlConnection() = default;
  virtual Result<SqlResult> run(std::string_view statement, std::span<const SqlValue> values) = 0;
  Result<SqlResult> run(std::string_view statement, std::initializer_list<SqlValue> values = {}) {
    return run(statement, std::span(values.begin(), values.size()));
  }
  virtual Result<void> begin() = 0;
  virtual Result<void> commit() = 0;  // an error `closed` here is the classic unknown outcome
  virtual Result<void> rollback() = 0;
  virtual SqlEngine engine() const = 0;

  /// A whole transaction in one round trip: begin, these statements, commit. True: all of it is committed. False: one of them
  /// found no row to change, and none of it happened. Nor did it after an error, unless that is an unknown one.
  /// Each is an INSERT, UPDATE or DELETE that does not read what another one here has written: PostgreSQL runs them on one
  /// snapshot. Not inside a transaction.
  virtual Result<bool> run_at_once(std::span<const SqlStatement> statements) = 0;
};

/// What run_at_once() sends for these statements, as the engine's own client takes it. Empty for SQLite, which gets them one
/// after the other.
std::string text_at_once(SqlEngine engine, std::span<const SqlStatement> statements);

/// A bounded pool of connections; thread-safe. A connection that broke is dropped, the next use
/// opens a new one.
class Sql {
 public:
  virtual ~Sql() = default;

  /// Lends a connection until the handle is destroyed. An open transaction is then rolled back.
  virtual Result<std::unique_ptr<SqlConnection>> acquire() = 0;
  virtual SqlEngine engine() const = 0;

  /// One statement on any free connection, in a transaction of its own.
  Result<SqlResult> run(std::string_view statement, std::initializer_list<SqlValue> values = {});

  /// The same for several that go together.
  Result<bool> run_at_once(std::initializer_list<SqlStatement> statements);

  /// begin, body, commit; rolled back when the body fails. Not retried: that is the caller's idea
  /// to have.
  Result<void> transaction(const std::function<Result<void>(SqlConnection&)>& body);
};

/// Does not connect yet: the first use does.
std::unique_ptr<Sql> connect_sql(SqlAddress address, SqlOptions options = {});

}  // namespace lab::infra
