#include "world.h"

#include <fmt/format.h>

#include <algorithm>

#include "job_lists.h"
#include "providers.h"
#include "queue/sql_queue.h"
#include "server_limits.h"
#include "speed.h"

namespace queue_retries {
namespace {

using namespace lab::harness;
using namespace std::chrono_literals;

void must(const Result<void>& done) {
  if (!done) throw lab::Failure(done.error());
}

/// Its start costs seconds, so it is not started for those who left its variant out.
bool wants_broker(const RunPlan& plan, const std::vector<Recipe>& recipes) {
  const auto& chosen = plan.flags.variants;
  return plan.fault != kBrokerKillVolatile &&
         std::any_of(recipes.begin(), recipes.end(), [&](const Recipe& recipe) {
           return recipe.store == Store::broker &&
                  (chosen.empty() ||
                   std::find(chosen.begin(), chosen.end(), recipe.variant) != chosen.end());
         });
}

class World : public Session {
 public:
  World(RunPlan& plan, EventStream& events, std::vector<Recipe> recipes, Adjust adjust)
      : backends_(lab::backends::open(plan, events,
                                      {.redis = true,
                                       .durable_redis = true,
                                       .sql = true,
                                       .folder = true,
                                       .rabbitmq = wants_broker(plan, recipes)})),
        plan_(plan),
        recipes_(std::move(recipes)),
        sizes_(choose_sizes(plan_)),
        adjust_(std::move(adjust)),
        sql_(backends_.sql->connect({.connections = 2})) {
    if (plan.backend == Backend::embedded && plan.fault.starts_with("broker")) {
      throw lab::Failure(lab::Error{lab::ErrorCode::invalid, lab::Happened::no,
                                    plan.fault + " needs a broker that is a process of its own; "
                                                 "choose --backend real"});
    }
    must(SqlProvider::create_table(*sql_));
    must(create_list_table(*sql_));
    must(lab::queue::SqlJobQueue::create_tables(*sql_));
  }

  std::vector<ServerUsed> servers() const override {
    if (plan_.backend == Backend::embedded) return {backends_.sql->used()};
    std::vector<ServerUsed> used{backends_.redis->used(), backends_.sql->used()};
    if (backends_.rabbit) used.push_back(backends_.rabbit->used());
    return used;
  }

  std::string load_in_words() const override {
    return fmt::format(
        "fault run: {} jobs over {:.1f} s, {} worker processes, one provider call in {} fails, "
        "lease "
        "{:.0f} ms, sweep every {:.0f} ms, {} attempts; speed: {} jobs in flight, 4 threads, a "
        "provider that answers at once",
        sizes_.jobs.load, lab::seconds(plan_.timing.load()), kWorkers, kProviderFailsOneIn,
        lab::milliseconds(sizes_.lease), lab::milliseconds(sizes_.sweep_every), kMaxAttempts,
        kInFlight);
  }

  std::string cannot_run(const Variant& variant) const override {
    if (plan_.backend == Backend::embedded && recipe_of(variant).store == Store::streams)
      return "needs a real Redis";
    if (recipe_of(variant).store != Store::broker) return {};
    if (!backends_.rabbit) return "needs a real RabbitMQ";
    if (plan_.fault == kBrokerKillVolatile) return "its queues are always durable";
    return {};
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    return run_with_fault(setting(variant), events);
  }

  RoundReport round(const Variant& variant, int) override {
    return run_timed_round(setting(variant));
  }

  std::vector<Limit> limits(int) override { return measure_limits(plan_, backends_); }

 private:
  const Recipe& recipe_of(const Variant& variant) const {
    for (const auto& recipe : recipes_) {
      if (recipe.variant == variant.name) return recipe;
    }
    throw lab::Failure("no recipe for variant " + variant.name);
  }

  Setting setting(const Variant& variant) {
    Setting setting{plan_, backends_, recipe_of(variant), sizes_};
    if (adjust_) adjust_(variant.name, setting.sizes);
    return setting;
  }

  lab::backends::Backends backends_;
  RunPlan plan_;
  std::vector<Recipe> recipes_;
  Sizes sizes_;
  Adjust adjust_;
  std::unique_ptr<lab::infra::Sql> sql_;
};

}  // namespace

Timing timing(const Flags& flags) {
  Timing timing;
  const Nanos load = flags.duration.value_or(flags.quick ? 700ms : 2800ms);
  timing.warm_up = load / 7;
  timing.steady = load * 2 / 7;
  timing.fault = load / 7;
  timing.recovery = load * 3 / 7;
  timing.round = flags.quick ? 60ms : 300ms;
  timing.rounds = flags.quick ? 3 : 9;
  return timing;
}

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream& events, std::vector<Recipe> recipes,
                                    Adjust adjust) {
  return std::make_unique<World>(plan, events, std::move(recipes), std::move(adjust));
}

}  // namespace queue_retries
