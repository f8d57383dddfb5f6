// PostgreSQL, on libpq itself. Poco::Data's connector (1.11) loses 37 kB with every connection that
// cannot be made or broke, which an outage makes by the thousand, and frees the last answer twice
// when a prepared statement that is run again fails, which is what every conflict is.
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <charconv>

#include "infra/socket_wait.h"
#include "infra/sql_session.h"
#include "infra/sql_statements.h"
#include "infra/sql_text.h"

namespace lab::infra {
namespace {

// pg_type.h's numbers of the types that are not read as text. They never change.
enum TypeOid : Oid {
  bool_oid = 16,
  int8_oid = 20,
  int2_oid = 21,
  int4_oid = 23,
  float4_oid = 700,
  float8_oid = 701,
  numeric_oid = 1700
};

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, FreeResult>;

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;

ErrorCode code_of(std::string_view sqlstate) {
  if (sqlstate == "40003") return ErrorCode::closed;  // statement completion unknown
  if (sqlstate.starts_with("40") || sqlstate == "23505" || sqlstate == "55P03")
    return ErrorCode::conflict;
  if (sqlstate == "57014") return ErrorCode::timeout;  // cancelled, as by statement_timeout
  if (sqlstate.starts_with("53")) return ErrorCode::exhausted;
  if (sqlstate == "08P01") return ErrorCode::invalid;  // another number of values than placeholders
  if (sqlstate.starts_with("57P") || sqlstate.starts_with("08")) return ErrorCode::closed;
  return ErrorCode::invalid;
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

Error answer_error(PGconn* connection, const PGresult* answer) {
  const auto field = [answer](int code) {
    const char* text = answer ? PQresultErrorField(answer, code) : nullptr;
    return std::string(text ? text : "");
  };
  const std::string sqlstate = field(PG_DIAG_SQLSTATE);
  std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = first_line(PQerrorMessage(connection));
  const bool lost = PQstatus(connection) != CONNECTION_OK;
  const ErrorCode code = lost ? ErrorCode::closed : code_of(sqlstate);
  return {code, code == ErrorCode::closed ? Happened::unknown : Happened::no, message, sqlstate};
}

bool good(const Answer& answer) {
  const auto status = PQresultStatus(answer.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/// The values as libpq wants them: texts that end in a zero byte, a null pointer for NULL.
class Parameters {
 public:
  explicit Parameters(std::span<const SqlValue> values) {
    numbers_.reserve(values.size());  // so that no pointer into it moves
    pointers_.reserve(values.size());
    for (const SqlValue& value : values) {
      if (const auto* text = std::get_if<std::string>(&value)) {
        pointers_.push_back(text->c_str());
      } else if (std::holds_alternative<std::monostate>(value)) {
        pointers_.push_back(nullptr);
      } else {
        pointers_.push_back(numbers_.emplace_back(number_text(value)).data());
      }
    }
  }
  const char* const* data() const { return pointers_.data(); }
  int size() const { return static_cast<int>(pointers_.size()); }

 private:
  using NumberText = std::array<char, 32>;
  static NumberText number_text(const SqlValue& value) {
    NumberText text{};
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      std::to_chars(text.data(), text.data() + text.size(), *integer);
    } else {
      std::to_chars(text.data(), text.data() + text.size(), std::get<double>(value));
    }
    return text;
  }
  std::vector<NumberText> numbers_;
  std::vector<const char*> pointers_;
};

SqlValue read_value(const PGresult* answer, int row, int column) {
  if (PQgetisnull(answer, row, column)) return std::monostate{};
  const std::string_view text(PQgetvalue(answer, row, column),
                              static_cast<std::size_t>(PQgetlength(answer, row, column)));
  switch (PQftype(answer, column)) {
    case bool_oid: return std::int64_t{text == "t"};
    case int2_oid:
    case int4_oid:
    case int8_oid:
    case numeric_oid: return number_from_text(text);
    case float4_oid:
    case float8_oid: return as_double(number_from_text(text));
    default: return std::string(text);
  }
}

SqlResult read_answer(const PGresult* answer) {
  SqlResult result;
  const int columns = PQnfields(answer);
  const int rows = PQntuples(answer);
  result.rows.reserve(static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    SqlRow& values = result.rows.emplace_back();
    values.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column)
      values.push_back(read_value(answer, row, column));
  }
  if (columns == 0)
    result.affected = std::strtoll(PQcmdTuples(const_cast<PGresult*>(answer)), nullptr, 10);
  return result;
}

class PostgresSession : public SqlSession {
 public:
  explicit PostgresSession(Connection connection)
      : owned_(std::move(connection)), connection_(owned_.get()) {
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);  // "already exists, skipping"
  }

  Result<SqlResult> run(std::string_view text, std::span<const SqlValue> values) override {
    for (const SqlValue& value : values) {
      const auto* string = std::get_if<std::string>(&value);
      if (string && string->find('\0') != std::string::npos) {
        return Error{ErrorCode::invalid, Happened::no, "PostgreSQL takes no text with a zero byte"};
      }
    }
    auto statement = prepared(text, values.size());
    if (!statement) return statement.error();
    const Parameters parameters(values);
    const Answer answer(PQexecPrepared(connection_, statement->c_str(), parameters.size(),
                                       parameters.data(), nullptr, nullptr, 0));
    if (good(answer)) return read_answer(answer.get());
    const Error error = answer_error(connection_, answer.get());
    if (error.native_code == plan_outdated) names_.erase(names_.find(text));
    return error;
  }

  Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
    if (statements.empty()) return true;
    const auto done = run(joined_statement(statements), values_of(statements));
    if (done) return true;
    if (done.error().native_code == division_by_zero) return false;
    return done.error();
  }

  std::string_view begin_statement() const override { return "BEGIN"; }
  bool ends_transaction(const Error&) const override { return true; }

 private:
  // "cached plan must not change result type": the table has changed since. The next run prepares
  // anew.
  static constexpr std::string_view plan_outdated = "0A000";
  static constexpr std::string_view division_by_zero = "22012";

  Result<std::string> prepared(std::string_view text, std::size_t values) {
    if (const auto found = names_.find(text); found != names_.end()) return found->second;
    std::string name = fmt::format("lab{}", ++prepared_count_);
    const Answer answer(PQprepare(connection_, name.c_str(), numbered_placeholders(text).c_str(),
                                  static_cast<int>(values), nullptr));
    if (!good(answer)) {
      Error error = answer_error(connection_, answer.get());
      error.happened = Happened::no;  // preparing changes nothing
      return error;
    }
    names_.emplace(std::string(text), name);
    return name;
  }

  const Connection owned_;
  PGconn* const connection_;
  StatementMap<std::string> names_;
  std::uint64_t prepared_count_ = 0;
};

Error connect_error(PGconn* connection) {
  const std::string text = first_line(PQerrorMessage(connection));
  const auto says = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  const bool full = says("too many clients") || says("remaining connection slots");
  return {full ? ErrorCode::exhausted : ErrorCode::refused, Happened::no, text};
}

Connection begin_connecting(const SqlAddress& address) {
  const std::string port = std::to_string(address.port != 0 ? address.port : 5432);
  const std::string& host = address.unix_socket.empty() ? address.host : address.unix_socket;
  const char* const keys[] = {"host", "port", "user", "password", "dbname", "application_name",
                              nullptr};
  const char* const values[] = {host.c_str(),
                                port.c_str(),
                                address.user.c_str(),
                                address.password.c_str(),
                                address.database.c_str(),
                                "lab",
                                nullptr};
  return Connection(PQconnectStartParams(keys, values, 0));
}

/// libpq's own connect_timeout knows whole seconds only, and not less than two.
Result<Connection> connect(const SqlAddress& address, const Deadline& deadline) {
  Connection connection = begin_connecting(address);
  if (!connection) return Error{ErrorCode::exhausted, Happened::no, "no memory for a connection"};
  auto next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED || PQstatus(connection.get()) == CONNECTION_BAD) {
      return connect_error(connection.get());
    }
    const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_until_ready(PQsocket(connection.get()), events, deadline)) {
      return Error{ErrorCode::timeout, Happened::no, "cannot connect in time"};
    }
    next = PQconnectPoll(connection.get());
  }
  return connection;
}

}  // namespace

Result<std::unique_ptr<SqlSession>> open_postgres(const SqlAddress& address,
                                                  const SqlOptions& options) {
  auto connection = connect(address, Deadline(options.connect_timeout));
  if (!connection) return connection.error();
  return std::make_unique<PostgresSession>(std::move(*connection));
}

}  // namespace lab::infra
