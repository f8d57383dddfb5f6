#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backends/backends.h"
#include "checks.h"
#include "core/stop.h"
#include "expected.h"
#include "list_load.h"
#include "player.h"
#include "workload.h"

namespace isolation_matrix {
namespace {

using lab::Error;
using lab::ErrorCode;
using lab::Failure;
using lab::Happened;
using lab::harness::Backend;
using lab::harness::EventStream;
using lab::harness::RunPlan;
using lab::harness::TrialReport;
using lab::harness::Variant;

constexpr std::uint64_t kFewestPasses = 2;  // a cell that was seen once may be an accident

/// PostgreSQL looks for deadlocks only after a second, MariaDB at once. A second for each would leave
/// its histories far shorter than the others'.
const char* const kLooksForDeadlocks = "deadlock_timeout=10ms";

const char* const kCreate =
    "CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, "
    "balance INTEGER NOT NULL)";

lab::infra::SqlResult must(lab::Result<lab::infra::SqlResult> result) {
  if (!result) throw Failure(result.error());
  return std::move(*result);
}

class World : public lab::harness::Session {
 public:
  World(const RunPlan& plan, lab::backends::Backends backends, std::vector<Recipe> recipes)
      : length_(plan.timing.load()),
        seed_(plan.flags.seed),
        backends_(std::move(backends)),
        recipes_(std::move(recipes)) {}

  std::vector<lab::harness::ServerUsed> servers() const override {
    std::vector<lab::harness::ServerUsed> used;
    for (const auto& [engine, backend] : backends_.engines) used.push_back(backend->used());
    return used;
  }

  std::string load_in_words() const override {
    return fmt::format(
        "{} scripts of two transactions, step by step, again and again for {:.1f} s per level; "
        "then "
        "{} clients appending to lists, as long",
        scripts().size(), lab::seconds(length_), ListLoad{}.clients);
  }

  std::string cannot_run(const Variant& variant) const override {
    return has(level(variant).engine()) ? "" : "needs a server, and this is the embedded backend";
  }

  bool has(SqlEngine engine) const { return backends_.engines.contains(engine); }

  TrialReport trial(const Variant& variant, EventStream&) override {
    Player player = player_at(level(variant));
    Matrix matrix;
    const lab::Instant end = lab::now() + length_;
    do {
      for (const auto& script : scripts()) {
        if (lab::stop_requested()) return {};
        matrix.add(script, player.play(script));
      }
    } while (lab::now() < end || matrix.passes() < kFewestPasses);
    record_history(variant, matrix);
    TrialReport report;
    report.checks = lab::harness::judge_all(checks(), matrix);
    report.metrics = matrix.costs();
    report.guards.push_back({"every script was played more than once",
                             matrix.passes() >= kFewestPasses,
                             fmt::format("{} times", matrix.passes())});
    return report;
  }

  lab::harness::RoundReport round(const Variant&, int) override { return {}; }

  /// Tells where an engine's version or default is not what the promises were made for.
  void compare_with_expected(EventStream& events) {
    std::set<SqlEngine> told;
    for (const auto& each : recipes_) {
      const SqlEngine engine = each.level->engine();
      if (!has(engine) || !told.insert(engine).second) continue;
      auto& backend = *backends_.engines.at(engine);
      const auto used = backend.used();
      const auto& expected = expected_of(used.kind, used.version);
      const auto sql = backend.connect({.connections = 1});
      must(sql->run(kCreate));
      const auto rows = must(sql->run(each.level->ask_default())).rows;
      const auto standard = std::get<std::string>(rows.at(0).at(0));
      events.emit("note",
                  {{"text", fmt::format("{} {}: default {}{}; expected cells of {}-{}, known from "
                                        "{}",
                                        used.kind, used.version, standard,
                                        standard == expected.default_level
                                            ? ""
                                            : ", not " + expected.default_level + " as expected",
                                        used.kind, expected.version, expected.measured_on)}});
    }
  }

 private:
  const Recipe& recipe(const Variant& variant) const {
    return *std::find_if(recipes_.begin(), recipes_.end(),
                         [&](const Recipe& it) { return it.variant == variant.name; });
  }
  const IsolationLevel& level(const Variant& variant) const { return *recipe(variant).level; }

  void record_history(const Variant& variant, Matrix& matrix) const {
    ListLoad load;
    load.length = length_;
    load.seed = seed_;
    const auto sql =
        backends_.engines.at(level(variant).engine())->connect({.connections = load.clients + 2});
    const auto history = recorded_lists(*sql, level(variant), load);
    auto judgement = lab::judge::check_list_append(history, {.level = recipe(variant).judged_at});
    if (!judgement) throw Failure(judgement.error());
    const auto aborted = std::count_if(history.begin(), history.end(), [](const auto& it) {
      return it.outcome == lab::judge::Outcome::fail;
    });
    matrix.add(std::move(*judgement), static_cast<std::uint64_t>(aborted));
  }

  Player player_at(const IsolationLevel& level) const {
    const auto sql =
        backends_.engines.at(level.engine())->connect({.connections = kTransactions + 1});
    std::vector<std::unique_ptr<lab::infra::SqlConnection>> transactions;
    for (std::size_t i = 0; i < kTransactions; ++i) transactions.push_back(connected(*sql));
    for (const auto& transaction : transactions) {
      for (const auto& statement : level.prepare()) must(transaction->run(statement));
    }
    return {std::move(transactions), connected(*sql), level.count_waiting()};
  }

  static std::unique_ptr<lab::infra::SqlConnection> connected(lab::infra::Sql& sql) {
    auto connection = sql.acquire();
    if (!connection) throw Failure(connection.error());
    return std::move(*connection);
  }

  lab::Nanos length_;
  std::uint64_t seed_;
  lab::backends::Backends backends_;
  std::vector<Recipe> recipes_;
};

/// What the chosen variants run on; SQLite needs no server.
std::vector<SqlEngine> engines_of(const RunPlan& plan, const std::vector<Recipe>& recipes) {
  const auto& chosen = plan.flags.variants;
  std::set<SqlEngine> engines;
  for (const auto& recipe : recipes) {
    if (chosen.empty() || std::find(chosen.begin(), chosen.end(), recipe.variant) != chosen.end())
      engines.insert(recipe.level->engine());
  }
  return {engines.begin(), engines.end()};
}

}  // namespace

lab::harness::Timing timing(const lab::harness::Flags& flags) {
  lab::harness::Timing timing;
  timing.steady = flags.duration.value_or(flags.quick ? lab::Nanos(std::chrono::milliseconds(200))
                                                      : lab::Nanos(std::chrono::seconds(3)));
  timing.rounds = 0;  // a level has no speed of its own: its price is waits and aborts
  return timing;
}

std::unique_ptr<lab::harness::Session> open_world(RunPlan& plan, EventStream& events,
                                                  std::vector<Recipe> recipes) {
  if (!plan.flags.sql_url.empty() || !plan.flags.redis_url.empty()) {
    throw Failure(Error{ErrorCode::invalid, Happened::no,
                        "this scenario knows who waits only on servers that nobody else uses; "
                        "leave --sql-url and --redis-url out"});
  }
  const auto wanted = engines_of(plan, recipes);
  auto backends = lab::backends::open(
      plan, events, {.engines = wanted, .settings = {{SqlEngine::postgres, {kLooksForDeadlocks}}}});
  if (!plan.flags.variants.empty() && backends.engines.size() < wanted.size()) {
    throw Failure(Error{ErrorCode::invalid, Happened::no,
                        "the embedded backend has SQLite alone; leave --backend embedded or the "
                        "other variants out"});
  }
  auto world = std::make_unique<World>(plan, std::move(backends), std::move(recipes));
  world->compare_with_expected(events);
  return world;
}

}  // namespace isolation_matrix
