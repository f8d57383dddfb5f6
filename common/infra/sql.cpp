#include "infra/sql.h"

#include <fmt/format.h>

#include "infra/url.h"

namespace lab::infra {
namespace {

Error bad_address(std::string_view text) {
  return {ErrorCode::invalid, Happened::no, std::string(text)};
}

Result<SqlAddress> file_address(const Url& url) {
  if (!url.host.empty() || url.path.size() < 2)
    return bad_address("SQLite: write sqlite:///path/to/file");
  SqlAddress address;
  address.path = url.path;
  return address;
}

Result<SqlAddress> server_address(const Url& url) {
  SqlAddress address;
  address.engine = url.scheme == "mysql" ? SqlEngine::mariadb : SqlEngine::postgres;
  address.unix_socket = url.socket;
  if (!url.host.empty()) address.host = url.host;
  address.port = url.port != 0 ? url.port : address.engine == SqlEngine::mariadb ? 3306 : 5432;
  address.user = url.user;
  address.password = url.password;
  if (url.path.size() > 1) address.database = url.path.substr(1);
  if (address.user.empty() || address.database.empty()) {
    return bad_address(fmt::format("{}: write {}://user:password@host:port/database",
                                   address.display(), url.scheme));
  }
  return address;
}

}  // namespace

std::string_view name(SqlEngine engine) {
  switch (engine) {
    case SqlEngine::sqlite: return "sqlite";
    case SqlEngine::mariadb: return "mariadb";
    case SqlEngine::postgres: return "postgres";
  }
  return "sqlite";
}

std::int64_t as_integer(const SqlValue& value) {
  if (const double* number = std::get_if<double>(&value)) return static_cast<std::int64_t>(*number);
  return std::get<std::int64_t>(value);
}

double as_double(const SqlValue& value) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value))
    return static_cast<double>(*number);
  return std::get<double>(value);
}

Result<SqlAddress> SqlAddress::parse(std::string_view text) {
  auto url = parse_url(text, {"sqlite", "mysql", "postgres"});
  if (!url) return url.error();
  return url->scheme == "sqlite" ? file_address(*url) : server_address(*url);
}

std::string SqlAddress::url() const {
  if (engine == SqlEngine::sqlite) return "sqlite://" + encoded(path, "/");
  std::string text =
      fmt::format("{}://{}:{}@{}", engine == SqlEngine::mariadb ? "mysql" : "postgres",
                  encoded(user), encoded(password), host.empty() ? "localhost" : host);
  if (port != 0) text += fmt::format(":{}", port);
  text += "/" + encoded(database);
  if (!unix_socket.empty()) text += "?socket=" + encoded(unix_socket, "/");
  return text;
}

std::string SqlAddress::display() const {
  switch (engine) {
    case SqlEngine::sqlite: return fmt::format("SQLite {}", path);
    case SqlEngine::mariadb:
      return unix_socket.empty() ? fmt::format("MariaDB at {}:{}", host, port)
                                 : fmt::format("MariaDB at {}", unix_socket);
    case SqlEngine::postgres:
      return unix_socket.empty() ? fmt::format("PostgreSQL at {}:{}", host, port)
                                 : fmt::format("PostgreSQL at {}/.s.PGSQL.{}", unix_socket, port);
  }
  return {};
}

Result<SqlResult> Sql::run(std::string_view statement, std::initializer_list<SqlValue> values) {
  auto connection = acquire();
  if (!connection) return connection.error();
  return (*connection)->run(statement, values);
}

Result<bool> Sql::run_at_once(std::initializer_list<SqlStatement> statements) {
  auto connection = acquire();
  if (!connection) return connection.error();
  return (*connection)->run_at_once(std::span(statements.begin(), statements.size()));
}

Result<void> Sql::transaction(const std::function<Result<void>(SqlConnection&)>& body) {
  auto connection = acquire();
  if (!connection) return connection.error();
  if (auto begun = (*connection)->begin(); !begun) return begun.error();
  // When the body fails or throws, the returned connection rolls back.
  if (auto done = body(**connection); !done) return done.error();
  return (*connection)->commit();
}

}  // namespace lab::infra
