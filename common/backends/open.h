#pragma once
// How the room's parts make each other's things; not for scenarios.

#include "backends/backends.h"
#include "infra/embedded_redis.h"
#include "servers/server.h"

namespace lab::backends {

std::unique_ptr<RedisBackend> private_redis(servers::Supervisor& supervisor,
                                            const harness::RunPlan& plan, bool durable);
std::unique_ptr<RedisBackend> embedded_redis(const harness::RunPlan& plan);
std::unique_ptr<RedisBackend> users_redis(const harness::RunPlan& plan);

std::unique_ptr<SqlBackend> private_sql(servers::Supervisor& supervisor, infra::SqlEngine engine,
                                        const harness::RunPlan& plan,
                                        std::vector<std::string> settings = {});
std::unique_ptr<SqlBackend> embedded_sql(servers::Supervisor& supervisor);
std::unique_ptr<SqlBackend> users_sql(const harness::RunPlan& plan);

std::unique_ptr<RabbitBackend> private_rabbit(std::shared_ptr<servers::Supervisor> supervisor,
                                              const harness::RunPlan& plan);
std::unique_ptr<RabbitBackend> users_rabbit(const harness::RunPlan& plan);

bool is_process_fault(std::string_view fault);
bool is_broker_process_fault(std::string_view fault);
bool is_network_fault(std::string_view fault);
bool is_sql_process_fault(std::string_view fault);

}  // namespace lab::backends
