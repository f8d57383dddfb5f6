#include "world.h"

#include <fmt/format.h>

#include "books.h"
#include "fault_run.h"
#include "speed.h"

namespace order_transactions {
namespace {

using namespace lab::harness;
using namespace std::chrono_literals;
using lab::infra::SqlEngine;

constexpr double kSalesPerSecond = 400;  // more than any engine here sells out

class World : public Session {
 public:
  World(RunPlan& plan, EventStream& events, std::vector<Recipe> recipes)
      : backends_(lab::backends::open(plan, events, {.sql = true, .folder = true})),
        plan_(plan),
        events_(events),
        recipes_(std::move(recipes)),
        sql_(backends_.sql->connect({.connections = kConnections + 1})) {
    if (plan.fault == kReset && sql_->engine() == SqlEngine::sqlite) {
      throw lab::Failure(lab::Error{lab::ErrorCode::invalid, lab::Happened::no,
                                    "db-reset resets connections, and SQLite has none; choose "
                                    "--backend real"});
    }
    prepare_books(*sql_, plan.flags.seed);
    speed_.emplace(*sql_, backends_.sql->address(), plan_);
    lost_updates_ = lets_updates_get_lost();
  }

  std::vector<ServerUsed> servers() const override { return {backends_.sql->used()}; }

  std::string load_in_words() const override {
    const std::string embedded =
        sql_->engine() == SqlEngine::sqlite
            ? fmt::format("; {} us are added to every statement", kEmbeddedRoundTrip.count())
            : "";
    return fmt::format(
        "fault run: {} client processes, as fast as answers come, every second order for a sale of "
        "{} pieces; speed: {} connections, closed loop, {} products and 1{}",
        kClients, kSaleStock, kConnections, kSpreadProducts, embedded);
  }

  /// Some rely on the engine's default level: where that does not let updates get lost, they sell nothing twice, and the
  /// run says so.
  Promise promise_of(const Variant& variant) const override {
    const auto& other = recipe(variant.name).promise_without_lost_updates;
    return other && !lost_updates_ ? *other : variant.promise;
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    const auto sales =
        static_cast<std::int64_t>(lab::seconds(plan_.timing.load()) * kSalesPerSecond) + 100;
    return run_with_fault({plan_, backends_, *sql_, recipe(variant.name), {++trials_, sales}},
                          events);
  }

  RoundReport round(const Variant& variant, int index) override {
    return speed_->round(recipe(variant.name), index);
  }

  std::vector<Limit> limits(int index) override { return speed_->limits(index, events_); }

 private:
  const Recipe& recipe(const std::string& variant) const { return recipe_of(recipes_, variant); }

  /// Does a transaction at the default level overwrite what another has committed since it read?
  bool lets_updates_get_lost() {
    switch (sql_->engine()) {
      case SqlEngine::sqlite: return false;   // one writer at a time, from BEGIN IMMEDIATE on
      case SqlEngine::postgres: return true;  // READ COMMITTED
      case SqlEngine::mariadb: break;
    }
    const auto snapshot = sql_->run("SELECT @@innodb_snapshot_isolation");
    return !snapshot || lab::infra::as_integer(snapshot->rows.at(0).at(0)) == 0;
  }

  lab::backends::Backends backends_;
  RunPlan plan_;
  EventStream& events_;
  std::vector<Recipe> recipes_;
  std::unique_ptr<lab::infra::Sql> sql_;
  std::optional<Speed> speed_;
  bool lost_updates_ = true;
  std::int64_t trials_ = 0;
};

}  // namespace

std::vector<FaultChoice> faults() {
  std::vector<FaultChoice> all{
      {kAppCrash, "client processes are killed with -9, at every step of an order and at random"}};
  for (auto& fault : lab::backends::sql_faults()) all.push_back(std::move(fault));
  all.push_back({kReset, "connections are reset while a COMMIT is under way"});
  all.push_back({"none", "nothing happens: the baseline"});
  return all;
}

Timing timing(const Flags& flags) {
  Timing timing;
  const Nanos load = flags.duration.value_or(flags.quick ? 600ms : 2600ms);
  timing.warm_up = load / 8;
  timing.steady = load / 4;
  timing.fault = load / 4;
  timing.recovery = load - timing.warm_up - timing.steady - timing.fault;
  timing.round = flags.quick ? 60ms : 260ms;
  timing.rounds = flags.quick ? 5 : 9;
  return timing;
}

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream& events,
                                    std::vector<Recipe> recipes) {
  return std::make_unique<World>(plan, events, std::move(recipes));
}

}  // namespace order_transactions
