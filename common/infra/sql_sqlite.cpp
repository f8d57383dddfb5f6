// SQLite: the embedded twin.
#include <Poco/Data/DataException.h>
#include <Poco/Data/SQLite/SQLiteStatementImpl.h>
#include <Poco/Data/SQLite/SessionImpl.h>
#include <sqlite3.h>

#include <filesystem>
#include <thread>

#include "infra/sql_prepared.h"
#include "infra/sql_session.h"

namespace lab::infra {
namespace {

namespace sqlite = Poco::Data::SQLite;
struct SqliteStatement : PreparedStatement<sqlite::SQLiteStatementImpl> {
  using PreparedStatement::PreparedStatement;
  sqlite3_stmt* native = nullptr;  // Poco's own
};

// How long a writer waits for the one before it, as MariaDB's and PostgreSQL's row locks do by
// default or longer.
constexpr int busy_timeout_ms = 10'000;

/// Looks every millisecond. SQLite's own handler waits longer and longer, up to 100 ms, so that those who have waited longest
/// come last when many write.
int wait_for_the_lock(void*, int looks) {
  if (looks >= busy_timeout_ms) return 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return 1;
}

ErrorCode code_of(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_ROWID: return ErrorCode::conflict;
    default: break;
  }
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::conflict;
    case SQLITE_FULL: return ErrorCode::exhausted;
    case SQLITE_CANTOPEN: return ErrorCode::refused;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::unavailable;
    default: return ErrorCode::invalid;
  }
}

class SqliteSession : public SqlSession {
 public:
  SqliteSession(const std::string& path, std::size_t timeout_seconds)
      : session_(new sqlite::SessionImpl(path, timeout_seconds)),
        database_(Poco::AnyCast<sqlite3*>(session_->getProperty("handle"))) {
    sqlite3_extended_result_codes(database_, 1);
    sqlite3_busy_handler(database_, wait_for_the_lock, nullptr);
  }

  ~SqliteSession() override {
    statements_.clear();  // first: SQLite does not close with statements open
  }

  Result<SqlResult> run(std::string_view statement, std::span<const SqlValue> values) override {
    return run_prepared(statements_, statement, values, *this);
  }

  Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
    if (auto begun = run(begin_statement(), {}); !begun) return begun.error();
    const auto give_up = [&](Result<bool> answer) {
      if (sqlite3_get_autocommit(database_) == 0) (void)run("ROLLBACK", {});
      return answer;
    };
    for (const auto& [text, values] : statements) {
      const auto done = run(text, values);
      if (!done) return give_up(done.error());
      if (done->affected == 0) return give_up(false);
    }
    if (const auto committed = run("COMMIT", {}); !committed) return give_up(committed.error());
    return true;
  }

  // Takes the write lock at once: a reader that becomes a writer later would fail and not wait.
  std::string_view begin_statement() const override { return "BEGIN IMMEDIATE"; }
  bool ends_transaction(const Error&) const override {
    return sqlite3_get_autocommit(database_) != 0;
  }

  // For run_prepared.
  std::unique_ptr<SqliteStatement> make(std::string_view text, std::size_t values) {
    auto statement =
        std::make_unique<SqliteStatement>(std::string(text), values, *session_, database_);
    // Each text is prepared once per connection, so the text finds the statement.
    do {
      statement->native = sqlite3_next_stmt(database_, statement->native);
    } while (statement->native && text != sqlite3_sql(statement->native));
    if (!statement->native)
      throw Poco::Data::NotSupportedException("more than one statement, or none");
    return statement;
  }

  SqlValue read(SqliteStatement& statement, std::size_t position) const {
    // By the value itself: Poco goes by the column's declaration, which SUM(x) does not have.
    switch (sqlite3_column_type(statement.native, static_cast<int>(position))) {
      case SQLITE_NULL: return std::monostate{};
      case SQLITE_INTEGER: return statement.read_as<Poco::Int64>(position);
      case SQLITE_FLOAT: return statement.read_as<double>(position);
      default: return statement.read_as<std::string>(position);
    }
  }

  std::int64_t affected(const SqliteStatement&) const { return sqlite3_changes(database_); }

  Error error(const Poco::Exception& exception) const {
    const int extended = sqlite3_extended_errcode(database_);
    if ((extended & 0xff) == SQLITE_OK || (extended & 0xff) == SQLITE_ROW ||
        (extended & 0xff) == SQLITE_DONE) {
      return {ErrorCode::invalid, Happened::no, exception.displayText()};
    }
    return {code_of(extended), Happened::no, sqlite3_errmsg(database_), std::to_string(extended)};
  }

 private:
  Poco::SharedPtr<sqlite::SessionImpl> session_;
  sqlite3* const database_;
  StatementMap<std::unique_ptr<SqliteStatement>> statements_;
};

}  // namespace

Result<std::unique_ptr<SqlSession>> open_sqlite(const SqlAddress& address,
                                                const SqlOptions& options) {
  // Poco tries for the whole timeout to open what cannot be opened.
  const auto folder = std::filesystem::path(address.path).parent_path();
  if (std::error_code ignored; !folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
    return Error{ErrorCode::refused, Happened::no, "there is no such folder"};
  }
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout).count();
  try {
    auto session = std::make_unique<SqliteSession>(address.path, static_cast<std::size_t>(seconds));
    // Readers do not wait for the writer; a commit survives a killed process (not a power cut).
    for (const char* pragma :
         {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = ON"}) {
      if (auto done = session->run(pragma, {}); !done) {
        Error error = done.error();
        if (error.code == ErrorCode::unavailable) error.code = ErrorCode::refused;
        return error;
      }
    }
    return session;
  } catch (const Poco::Exception& exception) {
    return Error{ErrorCode::refused, Happened::no, exception.displayText()};
  }
}

}  // namespace lab::infra
