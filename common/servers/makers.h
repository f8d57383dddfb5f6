#pragma once
// One maker per kind of server, each in a file of its own. The server is up when it is returned.

#include <memory>

#include "servers/channel.h"
#include "servers/server.h"

namespace lab::servers {

Result<std::unique_ptr<RedisServer>> make_redis(std::shared_ptr<Supervisor::Channel> channel,
                                                RedisServerOptions options);
Result<std::unique_ptr<SqlServer>> make_mariadb(std::shared_ptr<Supervisor::Channel> channel,
                                                SqlServerOptions options);
Result<std::unique_ptr<SqlServer>> make_postgres(std::shared_ptr<Supervisor::Channel> channel,
                                                 SqlServerOptions options);
Result<std::unique_ptr<RabbitServer>> make_rabbitmq(std::shared_ptr<Supervisor::Channel> channel,
                                                    RabbitServerOptions options);

}  // namespace lab::servers
