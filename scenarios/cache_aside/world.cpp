#include "world.h"

#include <fmt/format.h>

#include <thread>

#include "domain/seed.h"
#include "fault_run.h"
#include "infra/product_repository.h"

namespace cache_aside {
namespace {

using lab::Nanos;
using namespace lab::harness;
using namespace std::chrono_literals;

/// The client gets few enough connections that both nodes of all variants fit into a database's
/// default limit.
constexpr std::size_t kSqlConnections = 40;

class World : public Session {
 public:
  World(RunPlan& plan, EventStream& events, std::vector<Recipe> recipes)
      : backends_(lab::backends::open(plan, events, {.redis = true, .sql = true})),
        plan_(plan),
        recipes_(std::move(recipes)),
        times_(choose_times(plan.flags.quick)),
        sql_(backends_.sql->connect({.connections = kSqlConnections})),
        products_(*sql_) {
    if (plan.fault == kAppCrash && !backends_.redis->address()) {
      throw lab::Failure(lab::Error{lab::ErrorCode::invalid, lab::Happened::no,
                                    "app-crash kills a process: the embedded cache lives in this "
                                    "one; choose --backend real"});
    }
    seed();
    open_connections();
  }

  std::vector<ServerUsed> servers() const override {
    return {backends_.redis->used(), backends_.sql->used()};
  }

  std::string load_in_words() const override {
    return fmt::format(
        "fault run: open loop, {:.0f} op/s on {} nodes, {:.0f} % writes, Zipf {} over {} products, "
        "TTL {} ms; "
        "speed: {} clients, closed loop, warm cache",
        fault_run_rate(), kNodes, 100 * kWriteShare, kZipfExponent, kProducts, times_.ttl.count(),
        kClients);
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    return run_with_fault(setting(variant), events);
  }

  RoundReport round(const Variant& variant, int index) override {
    return run_timed_round(setting(variant), index);
  }

  std::vector<Limit> limits(int) override {
    return lab::backends::redis_get_limit(*backends_.redis, kClients,
                                          plan_.flags.quick ? 3000 : 20000, "reads_per_second");
  }

 private:
  static Times choose_times(bool quick) {
    if (quick) return {.ttl = 120ms, .stale_for = 60ms, .cache_timeout = 50ms, .lease = 200ms};
    return {.ttl = 500ms, .stale_for = 250ms, .cache_timeout = 50ms, .lease = 500ms};
  }

  /// A database of the user's may hold the products of an earlier run.
  void seed() {
    auto emptied = sql_->run("DELETE FROM products");
    if (!emptied) throw lab::Failure(emptied.error());
    const auto products = lab::domain::seed_products(kAllProducts, plan_.flags.seed);
    if (auto inserted = products_.insert(products); !inserted) throw lab::Failure(inserted.error());
  }

  /// All of them now, as a service's pool is when traffic comes: what opening them costs is not what is compared.
  void open_connections() {
    std::vector<std::unique_ptr<lab::infra::SqlConnection>> open;
    for (std::size_t i = 0; i < kSqlConnections; ++i) {
      auto connection = sql_->acquire();
      if (!connection) throw lab::Failure(connection.error());
      open.push_back(std::move(*connection));
    }
  }

  Setting setting(const Variant& variant) {
    for (const auto& recipe : recipes_) {
      if (recipe.variant == variant.name) return {plan_, backends_, products_, recipe, times_};
    }
    throw lab::Failure("no recipe for variant " + variant.name);
  }

  lab::backends::Backends backends_;
  RunPlan plan_;
  std::vector<Recipe> recipes_;
  Times times_;
  std::unique_ptr<lab::infra::Sql> sql_;
  lab::infra::SqlProductRepository products_;
};

}  // namespace

Timing timing(const Flags& flags) {
  Timing timing;
  const Nanos load = flags.duration.value_or(flags.quick ? 500ms : 2000ms);
  timing.warm_up = load / 7;
  timing.steady = load * 2 / 7;
  timing.fault = load * 2 / 7;
  timing.recovery = load * 2 / 7;
  timing.round = flags.quick ? 30ms : 320ms;
  timing.rounds = 9;
  return timing;
}

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream& events,
                                    std::vector<Recipe> recipes) {
  return std::make_unique<World>(plan, events, std::move(recipes));
}

}  // namespace cache_aside
