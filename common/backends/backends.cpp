#include "backends/backends.h"

#include <fmt/format.h>

#include "backends/open.h"

namespace lab::backends {
namespace {

using harness::Backend;
using harness::RunPlan;

[[noreturn]] void refuse(ErrorCode code, std::string message) {
  throw Failure(Error{code, Happened::no, std::move(message)});
}

infra::SqlEngine chosen_engine(const RunPlan& plan) {
  return plan.flags.sql == "postgres" ? infra::SqlEngine::postgres : infra::SqlEngine::mariadb;
}

servers::Installed installed(infra::SqlEngine engine) {
  return engine == infra::SqlEngine::postgres ? servers::find_postgres() : servers::find_mariadb();
}

/// The servers that the run would have to start and that are not installed.
std::vector<servers::Installed> missing_servers(const RunPlan& plan, const Needs& needs) {
  std::vector<servers::Installed> missing;
  const auto look = [&](const servers::Installed& found) {
    if (found.program.empty()) missing.push_back(found);
  };
  if (needs.redis && plan.flags.redis_url.empty()) look(servers::find_redis());
  if (needs.sql && plan.flags.sql_url.empty()) look(installed(chosen_engine(plan)));
  for (const auto engine : needs.engines) {
    if (engine != infra::SqlEngine::sqlite) look(installed(engine));
  }
  return missing;
}

void choose_backend(RunPlan& plan, const Needs& needs,
                    const std::function<void(std::string)>& note) {
  const bool own_address =
      !plan.flags.redis_url.empty() || !plan.flags.sql_url.empty() || !plan.flags.amqp_url.empty();
  if (plan.flags.backend == Backend::embedded) {
    if (own_address)
      refuse(ErrorCode::invalid,
             "--backend embedded and an address of your own exclude each other; leave one out");
    plan.backend = Backend::embedded;
    return;
  }
  plan.backend = Backend::real;
  const auto missing = missing_servers(plan, needs);
  if (missing.empty()) return;
  const auto& first = missing.front();
  if (plan.flags.backend == Backend::real || own_address) {
    refuse(ErrorCode::unavailable,
           fmt::format("{} is not installed; get it with '{}', or run with --backend embedded",
                       first.kind, first.how_to_get));
  }
  note(fmt::format("{} is not installed ({}): running on the embedded twins instead", first.kind,
                   first.how_to_get));
  plan.backend = Backend::embedded;
}

/// A fault that this backend cannot have is replaced when it was only the default, and refused when
/// it was asked for.
void choose_fault(RunPlan& plan, const std::function<void(std::string)>& note) {
  if (!plan.flags.redis_url.empty() && is_process_fault(plan.fault)) {
    const std::string why =
        fmt::format("{} is refused: this run did not start the Redis at --redis-url", plan.fault);
    if (plan.flags.fault_chosen)
      refuse(ErrorCode::invalid, why + "; choose redis-cut, which breaks the connections instead");
    note(why + "; redis-cut (connections reset and refused by a proxy) instead");
    plan.fault = "redis-cut";
  }
  if (!plan.flags.amqp_url.empty() && is_broker_process_fault(plan.fault)) {
    refuse(ErrorCode::invalid,
           fmt::format("{} is refused: this run did not start the broker at --amqp-url; choose "
                       "broker-reset, which breaks the connections instead",
                       plan.fault));
  }
  if (is_sql_process_fault(plan.fault) &&
      (plan.backend == Backend::embedded || !plan.flags.sql_url.empty())) {
    refuse(ErrorCode::invalid,
           fmt::format("{} is refused: {}", plan.fault,
                       plan.flags.sql_url.empty()
                           ? "SQLite is no process of its own; choose --backend real"
                           : "this run did not start the database at --sql-url"));
  }
  if (plan.backend == Backend::embedded && is_network_fault(plan.fault)) {
    refuse(ErrorCode::invalid,
           fmt::format("{} needs a real Redis: the embedded twin has no connection to damage",
                       plan.fault));
  }
}

}  // namespace

std::vector<harness::FaultChoice> redis_faults() {
  return {
      {"redis-kill", "Redis is killed with -9 half-way and comes back empty"},
      {"redis-pause", "Redis is stopped (SIGSTOP): connects succeed, answers do not come"},
      {"redis-old-dump", "Redis is killed and comes back with the dump saved when the load began"},
      {"redis-cut", "connections to Redis are reset and refused"},
      {"redis-reset", "every connection to Redis is reset, twice"},
      {"redis-slow", "Redis answers a second late"},
      {"redis-garbage", "a byte in 100 of Redis's answers is changed"},
      {"none", "nothing happens: the baseline"},
  };
}

std::vector<harness::FaultChoice> sql_faults() {
  return {
      {"db-kill", "the database is killed with -9 half-way and comes back"},
      {"db-pause", "the database is stopped (SIGSTOP): calls hang until it goes on"},
  };
}

bool is_sql_process_fault(std::string_view fault) {
  return fault == "db-kill" || fault == "db-pause";
}

bool is_broker_process_fault(std::string_view fault) {
  return fault == "broker-kill" || fault == "broker-kill-volatile" || fault == "broker-pause";
}

bool is_process_fault(std::string_view fault) {
  return fault == "redis-kill" || fault == "redis-old-dump" || fault == "redis-pause" ||
         is_broker_process_fault(fault);
}

bool is_network_fault(std::string_view fault) {
  return fault == "redis-cut" || fault == "redis-reset" || fault == "redis-slow" ||
         fault == "redis-garbage" || fault == "broker-reset";
}

/// Nothing when the run has to do without.
std::unique_ptr<RabbitBackend> open_rabbit(const std::shared_ptr<servers::Supervisor>& supervisor,
                                           const RunPlan& plan,
                                           const std::function<void(std::string)>& note) {
  if (plan.backend == Backend::embedded) return nullptr;
  if (!plan.flags.amqp_url.empty()) return users_rabbit(plan);
  const auto installed = servers::find_rabbitmq();
  if (!installed.program.empty()) return private_rabbit(supervisor, plan);
  note(fmt::format("rabbitmq is not installed ({}): what needs it is left out",
                   installed.how_to_get));
  return nullptr;
}

Backends open(RunPlan& plan, harness::EventStream& events, Needs needs) {
  const auto note = [&](std::string text) { events.emit("note", {{"text", std::move(text)}}); };
  choose_backend(plan, needs, note);
  choose_fault(plan, note);
  auto supervisor = std::make_shared<servers::Supervisor>();
  supervisor->place(plan.placement.servers);
  Backends opened;
  opened.keep_alive = supervisor;
  // First, because it takes longest and in the background.
  if (needs.rabbitmq) opened.rabbit = open_rabbit(supervisor, plan, note);
  if (needs.redis) {
    opened.redis = plan.backend == Backend::embedded ? embedded_redis(plan)
                   : plan.flags.redis_url.empty()
                       ? private_redis(*supervisor, plan, needs.durable_redis)
                       : users_redis(plan);
  }
  if (needs.sql) {
    opened.sql = plan.backend == Backend::embedded ? embedded_sql(*supervisor)
                 : plan.flags.sql_url.empty() ? private_sql(*supervisor, chosen_engine(plan), plan)
                                              : users_sql(plan);
  }
  if (needs.folder) {
    auto folder = supervisor->folder();
    if (!folder) throw Failure(folder.error());
    opened.folder = *folder;
  }
  for (const auto engine : needs.engines) {
    const bool sqlite = engine == infra::SqlEngine::sqlite;
    if (plan.backend == Backend::embedded && !sqlite) continue;
    opened.engines[engine] = sqlite
                                 ? embedded_sql(*supervisor)
                                 : private_sql(*supervisor, engine, plan, needs.settings[engine]);
  }
  return opened;
}

}  // namespace lab::backends
