#include "sql_support.h"

#include <map>

namespace lab::infra::test {

using lab::test::must;
using lab::test::supervisor;

Database::Database(SqlEngine engine) {
  address_.engine = engine;
  if (engine == SqlEngine::sqlite) {
    folder_.emplace();
    address_.path = (folder_->path() / "lab.db").string();
    return;
  }
  server_ = must(engine == SqlEngine::mariadb ? supervisor().mariadb() : supervisor().postgres());
  address_.unix_socket = server_->socket().string();
  address_.port = server_->port();
  address_.user = server_->user();
  address_.password = server_->password();
  address_.database = server_->database();
}

Database& Database::of(SqlEngine engine) {
  (void)supervisor();  // made first, so that it goes last
  static std::map<SqlEngine, std::unique_ptr<Database>> databases;
  auto& database = databases[engine];
  if (!database) database = std::make_unique<Database>(engine);
  return *database;
}

servers::Installed needed_for(SqlEngine engine) {
  switch (engine) {
    case SqlEngine::mariadb: return servers::find_mariadb();
    case SqlEngine::postgres: return servers::find_postgres();
    case SqlEngine::sqlite: break;
  }
  return {.kind = "sqlite", .program = "built in", .version = "", .how_to_get = ""};
}

}  // namespace lab::infra::test
