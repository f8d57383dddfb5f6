// isolation_matrix: "Your database says REPEATABLE READ. Which anomalies can still happen?"
//
// The scenario as a table of contents: engine × level, what each is expected to let through, the
// anomalies as checks.

#include <fmt/format.h>

#include "checks.h"
#include "expected.h"
#include "servers/server.h"
#include "variants/mariadb.h"
#include "variants/postgres.h"
#include "variants/sqlite.h"
#include "world.h"

using namespace isolation_matrix;
using lab::harness::Promise;
using lab::harness::Scenario;
using lab::harness::Variant;

namespace {

using Level = lab::judge::Level;
using Snapshot = Mariadb::Snapshot;

std::shared_ptr<IsolationLevel> postgres(const std::string& level) {
  return std::make_shared<Postgres>(level);
}
std::shared_ptr<IsolationLevel> mariadb(const std::string& level,
                                        Snapshot snapshot = Snapshot::off) {
  return std::make_shared<Mariadb>(level, snapshot);
}

std::vector<Recipe> recipes() {
  return {
      {"postgres_read_committed", postgres("READ COMMITTED"), Level::read_committed},
      {"postgres_repeatable_read", postgres("REPEATABLE READ"), Level::snapshot_isolation},
      {"postgres_serializable", postgres("SERIALIZABLE"), Level::serializable},
      {"mariadb_read_uncommitted", mariadb("READ UNCOMMITTED"), Level::read_uncommitted},
      {"mariadb_read_committed", mariadb("READ COMMITTED"), Level::read_committed},
      {"mariadb_repeatable_read", mariadb("REPEATABLE READ"), Level::snapshot_isolation},
      {"mariadb_snapshot_isolation", mariadb("REPEATABLE READ", Snapshot::on),
       Level::snapshot_isolation},
      {"mariadb_serializable", mariadb("SERIALIZABLE"), Level::serializable},
      {"sqlite_serializable", std::make_shared<Sqlite>(), Level::strict_serializable},
  };
}

std::string idea_of(const std::string& variant) {
  if (variant == "postgres_read_committed") return "each statement has a snapshot of its own";
  if (variant == "postgres_repeatable_read") return "one snapshot for all: snapshot isolation";
  if (variant == "postgres_serializable") return "and dependencies that could form a cycle abort";
  if (variant == "mariadb_read_uncommitted") return "reads see what nobody has committed";
  if (variant == "mariadb_read_committed") return "each statement has a snapshot of its own";
  if (variant == "mariadb_repeatable_read") return "one snapshot for reads, none for writes";
  if (variant == "mariadb_snapshot_isolation") return "innodb_snapshot_isolation: for writes too";
  if (variant == "mariadb_serializable") return "reads lock what they saw";
  return "one writer at a time";
}

/// Every cell is a promise: what the expected file names must be seen, what it does not name must
/// not.
Promise promise_of(const Recipe& recipe) {
  const std::string engine(lab::infra::name(recipe.level->engine()));
  const std::string version = engine == "postgres"  ? lab::servers::find_postgres().version
                              : engine == "mariadb" ? lab::servers::find_mariadb().version
                                                    : "";
  Promise promise = Promise::must_hold();
  for (const auto& anomaly : expected_of(engine, version).observed(recipe.variant))
    promise.also_breaks(anomaly);
  return promise;
}

std::vector<Variant> variants() {
  std::vector<Variant> made;
  for (const auto& recipe : recipes()) {
    const std::string engine(lab::infra::name(recipe.level->engine()));
    made.push_back({recipe.variant, promise_of(recipe), idea_of(recipe.variant),
                    fmt::format("scenarios/isolation_matrix/variants/{}.h", engine), "prepare()"});
  }
  return made;
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "isolation-matrix";
  scenario.question =
      "Your database says REPEATABLE READ. Which anomalies can still happen, and what does it "
      "cost to prevent the rest?";
  scenario.needs = {"mariadb", "postgres"};
  scenario.variants = variants();
  scenario.faults = {{"none", "nothing but two transactions at a time"}};
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.next = "./lab run order-transactions   (what these anomalies do to a shop)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  return lab::harness::run_main(scenario(), argc, argv);
}
