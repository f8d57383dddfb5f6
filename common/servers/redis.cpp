#include "servers/child.h"
#include "servers/files.h"
#include "servers/installed.h"
#include "servers/makers.h"
#include "servers/wire.h"

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

// From 64 MiB on (auto-aof-rewrite-min-size) the file is written anew, beside the old one; a shorter one comes of it.
constexpr std::uint64_t kAppendOnlySpace = 100'000'000;

constexpr const char* kRedisSocket = "redis.sock";
constexpr const char* kDump = "dump.rdb";

class PrivateRedis : public ChildServer<RedisServer> {
 public:
  PrivateRedis(std::shared_ptr<Supervisor::Channel> channel, const Installed& installed,
               fs::path folder, RedisServerOptions options, int port)
      : program_(installed.program), options_(std::move(options)), port_(port) {
    adopt(std::make_unique<Child>(std::move(channel),
                                  ChildParts{.kind = installed.kind,
                                             .version = installed.version,
                                             .user = this_user(),
                                             .folder = std::move(folder),
                                             .arguments = [this] { return arguments(); },
                                             .before_start = [this] { return forget_snapshot(); },
                                             .answers = [this] { return answers(); }}));
  }

  fs::path socket() const override { return folder() / kRedisSocket; }
  int port() const override { return port_; }
  Result<void> start_first() { return start_on_a_free_port(*this, port_, child().log()); }

 private:
  // Paths are relative to the folder: Redis joins its arguments into a configuration text, where
  // spaces would need quoting.
  std::vector<std::string> arguments() const {
    return {program_,
            "--port",
            std::to_string(port_),
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            kRedisSocket,
            "--unixsocketperm",
            "700",
            "--dir",
            ".",
            "--dbfilename",
            kDump,
            "--save",
            "",
            "--appendonly",
            options_.append_only ? "yes" : "no",
            "--appendfsync",
            options_.appendfsync,
            "--daemonize",
            "no"};
  }

  // Redis loads a dump at start even when it was told never to save one.
  Result<void> forget_snapshot() const {
    std::error_code ignored;
    if (!options_.snapshots) fs::remove(folder() / kDump, ignored);
    return {};
  }

  Result<bool> answers() const {
    auto wire = Wire::open(socket(), 1s);
    if (!wire || !wire->send("PING\r\n")) return false;
    const auto answer = wire->receive_line();  // "-LOADING …" while it reads its files
    return answer && answer->starts_with("+PONG");
  }

  const std::string program_;
  const RedisServerOptions options_;
  int port_;
};

}  // namespace

Result<std::unique_ptr<RedisServer>> make_redis(std::shared_ptr<Supervisor::Channel> channel,
                                                RedisServerOptions options) {
  const auto installed = find_redis();
  if (installed.program.empty()) return not_installed(installed);
  int port = 0;
  if (options.tcp) {
    const auto free = free_port();
    if (!free) return free.error();
    port = *free;
  }
  auto folder = channel->make_folder(this_user());
  if (!folder) return folder.error();
  // Without room for its append-only file it refuses every write, and whoever needs it looks broken.
  if (options.append_only) {
    if (auto room = need_space(*folder, kAppendOnlySpace); !room) return room.error();
  }
  auto server =
      std::make_unique<PrivateRedis>(channel, installed, *folder, std::move(options), port);
  if (auto fits = check_socket_path(server->socket()); !fits) return fits.error();
  if (auto started = server->start_first(); !started) return started.error();
  return std::unique_ptr<RedisServer>(std::move(server));
}

}  // namespace lab::servers
