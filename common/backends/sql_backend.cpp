#include <fmt/format.h>

#include "backends/open.h"
#include "domain/migrations.h"
#include "infra/migrate.h"

namespace lab::backends {
namespace {

using harness::RunPlan;

/// A database behind an address.
class AddressedSql : public SqlBackend {
 public:
  AddressedSql(infra::SqlAddress address, harness::ServerUsed used)
      : address_(std::move(address)), used_(std::move(used)) {}

  std::unique_ptr<infra::Sql> connect(infra::SqlOptions options) override {
    return infra::connect_sql(address_, options);
  }

  infra::SqlAddress address() const override { return address_; }
  harness::ServerUsed used() const override { return used_; }
  std::vector<faults::Fault> faults(const harness::Timing&) override { return {}; }

  /// Throws Failure: without its tables no scenario can begin.
  void migrate() {
    const auto sql = connect({.connections = 1});
    const auto migrated = infra::migrate(*sql, domain::migrations());
    if (migrated) return;
    throw Failure(Error{ErrorCode::unavailable, Happened::no,
                        fmt::format("cannot prepare the database at {}: {}", address_.display(),
                                    migrated.error().message)});
  }

 protected:
  infra::SqlAddress address_;
  harness::ServerUsed used_;
};

/// A private server, alive as long as its address is used.
class PrivateSql : public AddressedSql {
 public:
  PrivateSql(std::unique_ptr<servers::SqlServer> server, infra::SqlAddress address,
             harness::ServerUsed used, std::string fault)
      : AddressedSql(std::move(address), std::move(used)),
        server_(std::move(server)),
        fault_(std::move(fault)) {}

  std::vector<faults::Fault> faults(const harness::Timing& timing) override {
    if (!is_sql_process_fault(fault_)) return {};
    const auto [begin, end] = timing.fault_window();
    auto* server = server_.get();
    faults::Fault fault{fault_, used_.kind, begin, end - begin, {}, {}};
    if (fault_ == "db-kill") {
      fault.begin = [server] { return server->kill(); };
      fault.end = [server] { return server->start(); };
    } else {
      fault.begin = [server] { return server->pause(); };
      fault.end = [server] { return server->resume(); };
    }
    return {fault};
  }

 private:
  std::unique_ptr<servers::SqlServer> server_;
  std::string fault_;
};

std::string durability_of(infra::SqlEngine engine) {
  switch (engine) {
    case infra::SqlEngine::mariadb:
      return "every commit flushed (innodb_flush_log_at_trx_commit=1)";
    case infra::SqlEngine::postgres: return "every commit flushed (synchronous_commit=on)";
    case infra::SqlEngine::sqlite: return "write-ahead log";
  }
  return {};
}

std::unique_ptr<SqlBackend> migrated(std::unique_ptr<AddressedSql> sql) {
  sql->migrate();
  return sql;
}

}  // namespace

std::unique_ptr<SqlBackend> private_sql(servers::Supervisor& supervisor, infra::SqlEngine engine,
                                        const RunPlan& plan, std::vector<std::string> settings) {
  servers::SqlServerOptions options;
  options.settings = std::move(settings);
  const bool postgres = engine == infra::SqlEngine::postgres;
  auto server =
      postgres ? supervisor.postgres(std::move(options)) : supervisor.mariadb(std::move(options));
  if (!server) throw Failure(server.error());
  const infra::SqlAddress address{.engine = engine,
                                  .path = {},
                                  .unix_socket = (*server)->socket().string(),
                                  .host = {},
                                  .port = (*server)->port(),
                                  .user = (*server)->user(),
                                  .password = (*server)->password(),
                                  .database = (*server)->database()};
  const harness::ServerUsed used{.kind = (*server)->kind(),
                                 .version = (*server)->version(),
                                 .where = "private, Unix socket, removed on exit",
                                 .pid = (*server)->pid(),
                                 .durability = durability_of(engine)};
  return migrated(std::make_unique<PrivateSql>(std::move(*server), address, used, plan.fault));
}

std::unique_ptr<SqlBackend> embedded_sql(servers::Supervisor& supervisor) {
  auto folder = supervisor.folder();
  if (!folder) throw Failure(folder.error());
  const infra::SqlAddress address{.engine = infra::SqlEngine::sqlite,
                                  .path = (*folder / "lab.sqlite").string()};
  const harness::ServerUsed used{.kind = "sqlite",
                                 .version = "embedded",
                                 .where = "this process, a file removed on exit",
                                 .pid = 0,
                                 .durability = durability_of(infra::SqlEngine::sqlite)};
  return migrated(std::make_unique<AddressedSql>(address, used));
}

std::unique_ptr<SqlBackend> users_sql(const RunPlan& plan) {
  auto address = infra::SqlAddress::parse(plan.flags.sql_url);
  if (!address)
    throw Failure(Error{ErrorCode::invalid, Happened::no, "--sql-url: " + address.error().message});
  const harness::ServerUsed used{.kind = std::string(infra::name(address->engine)),
                                 .version = "unknown version",
                                 .where = address->display() + ", yours",
                                 .pid = 0,
                                 .durability = "yours"};
  return migrated(std::make_unique<AddressedSql>(*address, used));
}

}  // namespace lab::backends
