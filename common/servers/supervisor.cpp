#include "servers/channel.h"
#include "servers/makers.h"
#include "servers/server.h"

namespace lab::servers {

Result<Nanos> Server::restart() {
  const auto began = now();
  if (auto killed = kill(); !killed) return killed.error();
  if (auto started = start(); !started) return started.error();
  return now() - began;
}

Supervisor::Supervisor() : channel_(std::make_shared<Channel>()) {}
Supervisor::~Supervisor() = default;

void Supervisor::place(std::vector<int> cpus) {
  channel_->place(std::move(cpus));
}

Result<std::unique_ptr<RedisServer>> Supervisor::redis(RedisServerOptions options) {
  return make_redis(channel_, std::move(options));
}
Result<std::unique_ptr<SqlServer>> Supervisor::mariadb(SqlServerOptions options) {
  return make_mariadb(channel_, std::move(options));
}
Result<std::unique_ptr<SqlServer>> Supervisor::postgres(SqlServerOptions options) {
  return make_postgres(channel_, std::move(options));
}
Result<std::unique_ptr<RabbitServer>> Supervisor::rabbitmq(RabbitServerOptions options) {
  return make_rabbitmq(channel_, std::move(options));
}
Result<std::filesystem::path> Supervisor::folder() {
  return channel_->make_folder(this_user());
}

}  // namespace lab::servers
