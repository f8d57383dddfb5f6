#include "world.h"

#include <fmt/format.h>

#include <algorithm>

#include "event_bus_run.h"
#include "fault_run.h"
#include "harness/exit_status.h"
#include "net/server_process.h"
#include "speed.h"

namespace pubsub_fanout {
namespace {

using namespace lab::harness;

const Recipe& recipe_of(const std::vector<Recipe>& recipes, const std::string& variant) {
  for (const auto& recipe : recipes) {
    if (recipe.variant == variant) return recipe;
  }
  throw lab::Failure("no recipe for variant " + variant);
}

class World : public Session {
 public:
  World(RunPlan& plan, EventStream& events, std::vector<Recipe> recipes)
      : backends_(lab::backends::open(plan, events, {.redis = true, .durable_redis = true})),
        plan_(plan),
        recipes_(std::move(recipes)),
        sizes_(choose_sizes(plan_)) {
    (void)raise_descriptor_limit();
  }

  std::vector<ServerUsed> servers() const override {
    if (plan_.backend == Backend::embedded) return {};
    return {backends_.redis->used()};
  }

  std::string load_in_words() const override {
    const FanOut speed = choose_fan_out(plan_);
    return fmt::format(
        "fault run: {} rooms of {} readers and {} speakers who each say {} bytes every {:.0f} ms, "
        "a "
        "room with messages of {} KiB every {:.0f} ms and a reader that stops reading for {:.1f} "
        "s, "
        "{} nodes where there can be many; speed: {} subscribers, one speaker, a closed loop with "
        "{} "
        "messages of {} bytes on their way, so that the delay is of such a loop",
        sizes_.rooms, sizes_.readers, sizes_.speakers, sizes_.bytes,
        lab::milliseconds(sizes_.says_every), sizes_.loud_bytes / 1024,
        lab::milliseconds(sizes_.loud_every), lab::seconds(sizes_.loud_for), sizes_.nodes,
        speed.subscribers, speed.window, speed.bytes);
  }

  std::string cannot_run(const Variant& variant) const override {
    const bool real = plan_.backend == Backend::real;
    return recipe_of(recipes_, variant.name).many_nodes && !real ? "needs a real Redis" : "";
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    const Setting setting = setting_of(variant);
    return setting.recipe.make ? run_with_fault(setting, events) : run_bus(setting);
  }

  RoundReport round(const Variant& variant, int) override {
    return speed_.round(setting_of(variant));
  }

  std::vector<Limit> limits(int) override {
    return speed_.limits({plan_, backends_, recipes_.front(), sizes_});
  }

 private:
  Setting setting_of(const Variant& variant) {
    return {plan_, backends_, recipe_of(recipes_, variant.name), sizes_};
  }

  lab::backends::Backends backends_;
  RunPlan plan_;
  std::vector<Recipe> recipes_;
  Sizes sizes_;
  Speed speed_;
};

}  // namespace

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream& events,
                                    std::vector<Recipe> recipes) {
  return std::make_unique<World>(plan, events, std::move(recipes));
}

int serve_alone(const ServeRequest& request, const std::vector<Recipe>& recipes) {
  const Recipe& recipe = recipe_of(recipes, request.variant.name);
  if (!recipe.make) {
    fmt::print(stderr, "{} lives inside a process and is no server\n", recipe.variant);
    return kUsage;
  }
  (void)raise_descriptor_limit();
  RunPlan plan;
  plan.flags = request.flags;
  plan.fault = "none";
  EventStream events;
  lab::backends::Backends backends;
  NodeOrders orders{.variant = recipe.variant, .name = "n1", .port = request.port};
  if (recipe.many_nodes) {
    backends = lab::backends::open(plan, events, {.redis = true, .durable_redis = true});
    const auto address = backends.redis->address();
    if (!address) throw lab::Failure(recipe.variant + " needs a real Redis");
    orders.redis = *address;
  }
  lab::net::ServerProcess node({.orders = to_json(orders), .limits = {}, .cpus = {}});
  return lab::net::serve_until_stopped(node);
}

}  // namespace pubsub_fanout
