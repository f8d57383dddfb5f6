#include "workload.h"

#include <nlohmann/json.hpp>

namespace thread_pools {

using nlohmann::json;
using namespace std::chrono_literals;

const std::vector<std::string>& scripts() {
  static const std::vector<std::string> all{kWakeUps, kNested, kExceptions, kCrowd,
                                            kBehind,  kLogins, kCloseDrain, kCloseGiveBack};
  return all;
}

std::string to_json(const Orders& orders) {
  return json{{"variant", orders.variant},
              {"script", orders.script},
              {"fault", orders.fault},
              {"workers", orders.size.workers},
              {"queue_limit", orders.size.queue_limit},
              {"seed", orders.seed},
              {"logins", orders.logins},
              {"wake_ups", orders.wake_ups},
              {"closing_tasks", orders.closing_tasks},
              {"patience_ns", orders.patience.count()},
              {"login_kind", static_cast<int>(orders.login.kind)},
              {"login_passes", orders.login.passes},
              {"login_memory_kib", orders.login.memory_kib}}
      .dump();
}

Orders orders_from_json(const std::string& text) {
  const json from = json::parse(text);
  Orders orders;
  orders.variant = from.at("variant");
  orders.script = from.at("script");
  orders.fault = from.at("fault");
  orders.size.workers = from.at("workers");
  orders.size.queue_limit = from.at("queue_limit");
  orders.seed = from.at("seed");
  orders.logins = from.at("logins");
  orders.wake_ups = from.at("wake_ups");
  orders.closing_tasks = from.at("closing_tasks");
  orders.patience = Nanos(from.at("patience_ns").get<std::int64_t>());
  orders.login.kind = static_cast<HashKind>(from.at("login_kind").get<int>());
  orders.login.passes = from.at("login_passes");
  orders.login.memory_kib = from.at("login_memory_kib");
  return orders;
}

std::vector<Orders> orders_for(const std::string& variant, const lab::harness::RunPlan& plan,
                               std::size_t cores) {
  const bool quick = plan.flags.quick;
  std::vector<Orders> all;
  for (const auto& script : scripts()) {
    Orders orders{.variant = variant, .script = script, .fault = plan.fault};
    orders.size = {.workers = cores, .queue_limit = 16};
    if (script == kWakeUps || script == kNested) orders.size.workers = 1;
    if (script == kBehind) orders.size.workers = 2;
    orders.seed = plan.flags.seed;
    orders.logins = static_cast<std::size_t>(plan.flags.jobs.value_or(quick ? 40 : 200));
    orders.wake_ups = quick ? 200 : 2'000;
    orders.patience = quick ? 300ms : 600ms;
    all.push_back(std::move(orders));
  }
  return all;
}

}  // namespace thread_pools
