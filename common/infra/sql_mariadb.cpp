// MariaDB and MySQL.
#include <Poco/Data/MySQL/Connector.h>
#include <Poco/Data/MySQL/MySQLException.h>
#include <Poco/Data/MySQL/MySQLStatementImpl.h>
#include <Poco/Data/MySQL/SessionImpl.h>
#include <errmsg.h>
#include <fmt/format.h>
#include <mysqld_error.h>

#include <cstring>
#include <mutex>

#include "infra/sql_prepared.h"
#include "infra/sql_session.h"
#include "infra/sql_text.h"

namespace lab::infra {
namespace {

namespace mysql = Poco::Data::MySQL;
using MariadbStatement = PreparedStatement<mysql::MySQLStatementImpl>;
using Poco::Data::MetaColumn;

void load_connector() {
  // Prepares the client library for threads.
  static std::once_flag once;
  std::call_once(once, [] { mysql::Connector::registerConnector(); });
}

ErrorCode code_of(unsigned number) {
  switch (number) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_CHECKREAD: return ErrorCode::conflict;  // 1020: the row changed since this snapshot
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL: return ErrorCode::exhausted;
    case ER_SERVER_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST: return ErrorCode::closed;
    case ER_SIGNAL_NOT_FOUND: return ErrorCode::not_found;
    case CR_NEW_STMT_METADATA: return ErrorCode::invalid;  // the table has other columns now
    default: break;
  }
  // The client library's own errors: answers that make no sense, statements out of order.
  return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR ? ErrorCode::protocol
                                                          : ErrorCode::invalid;
}

/// Poco keeps the number of an error in its text only: "…\t[mysql_stmt_errno]: 1213\t…".
std::string field(std::string_view text, std::string_view label) {
  const auto found = text.find(label);
  if (found == std::string_view::npos) return {};
  text.remove_prefix(found + label.size());
  return std::string(text.substr(0, text.find('\t')));
}

class MariadbSession : public SqlSession {
 public:
  MariadbSession(const std::string& connection, std::size_t timeout_seconds)
      : session_(new mysql::SessionImpl(connection, timeout_seconds)) {}

  ~MariadbSession() override {
    session_->close();  // first: a statement would say goodbye to the server one by one
  }

  Result<SqlResult> run(std::string_view statement, std::span<const SqlValue> values) override {
    return run_prepared(statements_, statement, values, *this);
  }

  Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
    auto done = run(compound_statement(statements), values_of(statements));
    if (done) return true;
    if (done.error().code == ErrorCode::not_found) return false;
    // Its handler is not asked when the statement itself is cancelled.
    if (done.error().code != ErrorCode::closed) (void)run("ROLLBACK", {});
    return done.error();
  }

  std::string_view begin_statement() const override { return "BEGIN"; }

  bool ends_transaction(const Error& error) const override {
    // A deadlock and a changed snapshot do; a lock wait that took too long (1205) takes back its
    // statement only.
    return error.native_code == "1213" || error.native_code == "1020";
  }

  // For run_prepared.
  std::unique_ptr<MariadbStatement> make(std::string_view text, std::size_t values) {
    auto statement = std::make_unique<MariadbStatement>(std::string(text), values, *session_);
    for (std::size_t i = 0; i < statement->columns(); ++i) {
      const MetaColumn& column = statement->column(i);
      // Poco reserves no room for a LONGTEXT and then reads it.
      if (column.type() == MetaColumn::FDT_BLOB && column.length() == 0) {
        throw Poco::Data::ExtractException(column.name() + " is a LONGTEXT: cast it to VARCHAR");
      }
    }
    return statement;
  }

  SqlValue read(MariadbStatement& statement, std::size_t position) const {
    if (statement.is_null(position)) return std::monostate{};
    const MetaColumn& column = statement.column(position);
    if (is_integer(column.type())) return statement.read_as<Poco::Int64>(position);
    if (column.type() == MetaColumn::FDT_FLOAT) return statement.read_as<double>(position);
    if (column.type() != MetaColumn::FDT_DOUBLE) return statement.read_as<std::string>(position);
    const SqlValue real = statement.read_as<double>(position);
    // Poco calls DECIMAL a double too; only a real one is 8 bytes long.
    const double value = as_double(real);
    const bool whole = value == std::floor(value) && std::abs(value) < 0x1p63;
    return column.length() != sizeof(double) && whole ? statement.read_as<Poco::Int64>(position)
                                                      : real;
  }

  std::int64_t affected(const MariadbStatement& statement) const {
    // MariaDB counts the rows that an UPDATE changed; how many it matched is in its remark only.
    constexpr const char* matched = "Rows matched: ";
    const char* const remark = mysql_info(handle());
    if (remark && std::strncmp(remark, matched, std::strlen(matched)) == 0) {
      return std::strtoll(remark + std::strlen(matched), nullptr, 10);
    }
    return static_cast<std::int64_t>(statement.affected());
  }

  Error error(const Poco::Exception& exception) const {
    const std::string& text = exception.message();
    const std::string number = field(text, "[mysql_stmt_errno]: ");
    if (number.empty()) return {ErrorCode::invalid, Happened::no, text};
    const ErrorCode code =
        code_of(static_cast<unsigned>(std::strtoul(number.c_str(), nullptr, 10)));
    const bool sure = code != ErrorCode::closed && code != ErrorCode::protocol;
    return {code, sure ? Happened::no : Happened::unknown, field(text, "[mysql_stmt_error]: "),
            number};
  }

 private:
  MYSQL* handle() const { return const_cast<mysql::SessionImpl&>(*session_).handle(); }

  Poco::SharedPtr<mysql::SessionImpl> session_;
  StatementMap<std::unique_ptr<MariadbStatement>> statements_;
};

/// Poco hands `host` to the client library as it is, and the library takes "socket=/path" for one.
Result<std::string> connection_text(const SqlAddress& address) {
  for (const auto& [what, value] : {std::pair{"user", &address.user},
                                    {"password", &address.password},
                                    {"database", &address.database},
                                    {"socket", &address.unix_socket},
                                    {"host", &address.host}}) {
    if (auto fine = check_connection_value(what, *value, ';'); !fine) return fine.error();
  }
  std::string text =
      address.unix_socket.empty()
          ? fmt::format("host={};port={}", address.host, address.port != 0 ? address.port : 3306)
          : fmt::format("host=socket={}", address.unix_socket);
  text += fmt::format(";user={};character-set=utf8mb4", address.user);
  if (!address.password.empty()) text += fmt::format(";password={}", address.password);
  if (!address.database.empty()) text += fmt::format(";db={}", address.database);
  return text;
}

Error connect_error(const Poco::Exception& exception) {
  // The number of the error is lost here; the client library's sentences tell enough.
  const std::string text = exception.displayText();
  const auto says = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  const bool late = says("(110)") || says("system error: 110") || says("timed out");
  const bool full = says("Too many connections") || says("(24)");
  return {late   ? ErrorCode::timeout
          : full ? ErrorCode::exhausted
                 : ErrorCode::refused,
          Happened::no, text};
}

}  // namespace

Result<std::unique_ptr<SqlSession>> open_mariadb(const SqlAddress& address,
                                                 const SqlOptions& options) {
  load_connector();
  const auto text = connection_text(address);
  if (!text) return text.error();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout).count();
  try {
    return std::make_unique<MariadbSession>(*text, static_cast<std::size_t>(seconds));
  } catch (const Poco::Exception& exception) {
    return connect_error(exception);
  }
}

}  // namespace lab::infra
