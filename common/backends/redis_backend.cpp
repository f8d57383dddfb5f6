#include <fmt/format.h>

#include "backends/fault_probe.h"
#include "backends/open.h"
#include "faults/proxy.h"

namespace lab::backends {
namespace {

using faults::Damage;
using faults::Fault;
using harness::RunPlan;
using harness::Timing;

constexpr Nanos kSlow = 1s;
constexpr std::uint64_t kGarbageOneByteIn = 100;

Result<void> done() {
  return {};
}

/// Well above a healthy answer, well below the shortest fault.
constexpr std::chrono::milliseconds kPingPatience{20};

Result<void> ping(infra::Redis& redis) {
  const auto answer = redis.command({"PING"}, {.timeout = kPingPatience});
  if (!answer) return answer.error();
  return {};
}

/// What a process fault needs of its victim: the server and the twin both have it.
struct Victim {
  std::function<Result<void>()> kill, start, pause, resume, save;
};

std::vector<Fault> process_faults(const std::string& fault, const Timing& timing,
                                  const Victim& victim, FaultProbe& probe) {
  const auto during = [&](const auto& breaks, const auto& mends) {
    return probed(fault, "redis", timing, breaks, mends, probe);
  };
  if (fault == "redis-pause") return {during(victim.pause, victim.resume)};
  if (fault == "redis-kill") return {during(victim.kill, victim.start)};
  if (fault == "redis-old-dump") {
    return {Fault{"redis-save", "redis", timing.warm_up, Nanos{}, victim.save, done},
            during(victim.kill, victim.start)};
  }
  return {};
}

Damage damage_of(const std::string& fault) {
  Damage damage;
  if (fault == "redis-slow") damage.latency = kSlow;
  if (fault == "redis-garbage") damage.corrupt_one_byte_in = kGarbageOneByteIn;
  if (fault == "redis-cut") damage.refuse = true;
  return damage;
}

std::vector<Fault> network_faults(const std::string& fault, const Timing& timing,
                                  faults::FaultProxy* proxy, FaultProbe& probe) {
  if (!is_network_fault(fault)) return {};
  const bool resets = fault == "redis-reset" || fault == "redis-cut";
  const auto begin = [proxy, fault, resets] {
    proxy->set(damage_of(fault));
    if (resets) proxy->reset_all();
    return done();
  };
  // After resets or garbage what is still open is of no use: a client may wait for ever for bytes that a changed length
  // promised.
  const auto end = [proxy, fault] {
    proxy->set({});
    if (fault != "redis-slow") proxy->reset_all();
    return done();
  };
  return {probed(fault, "redis", timing, begin, end, probe)};
}

/// What a fault of "the broker" is when the broker is a Redis.
std::string as_redis_fault(const std::string& fault) {
  if (fault == "broker-kill" || fault == "broker-kill-volatile") return "redis-kill";
  if (fault == "broker-pause") return "redis-pause";
  if (fault == "broker-reset") return "redis-reset";
  return fault;
}

/// A Redis behind an address, with a proxy before it when the run's fault is one of the network.
class AddressedRedis : public RedisBackend {
 public:
  AddressedRedis(infra::RedisAddress address, const RunPlan& plan)
      : fault_(as_redis_fault(plan.fault)), address_(std::move(address)) {
    if (!is_network_fault(fault_)) return;
    proxy_ = std::make_unique<faults::FaultProxy>(faults::FaultProxy::Options{
        .upstream = {address_.unix_socket, address_.host, address_.port},
        .listen_unix_socket = {},
        .seed = plan.flags.seed});
  }

  std::unique_ptr<infra::Redis> client(infra::RedisOptions options) override {
    return infra::connect_redis(*client_address(), options);
  }

  std::optional<infra::RedisAddress> client_address() const override {
    infra::RedisAddress address = address_;
    if (proxy_) {
      address.unix_socket.clear();
      address.host = proxy_->endpoint().host;
      address.port = proxy_->endpoint().port;
    }
    return address;
  }

  std::unique_ptr<infra::Redis> direct_client(infra::RedisOptions options) override {
    return infra::connect_redis(address_, options);
  }

  std::vector<Fault> faults(const Timing& timing) override {
    if (proxy_) before_ = proxy_->counters();
    return network_faults(fault_, timing, proxy_.get(), probe_);
  }

  FaultEffect effect() const override {
    const auto counted = [](std::uint64_t count, const char* what) {
      return FaultEffect{count > 0, fmt::format("{} {}", count, what)};
    };
    if (fault_ == "redis-reset")
      return counted(proxy_->counters().resets - before_.resets, "connections reset");
    if (fault_ == "redis-garbage")
      return counted(proxy_->counters().bytes_corrupted - before_.bytes_corrupted, "bytes changed");
    return probe_.seen();
  }

  std::optional<infra::RedisAddress> address() const override { return address_; }

  std::vector<std::string> tool_arguments() const override {
    if (!address_.password.empty()) return {};
    if (!address_.unix_socket.empty()) return {"-s", address_.unix_socket};
    return {"-h", address_.host, "-p", std::to_string(address_.port)};
  }

 protected:
  std::string fault_;
  infra::RedisAddress address_;
  std::unique_ptr<faults::FaultProxy> proxy_;
  faults::FaultProxy::Counters before_;
  FaultProbe probe_{"PING", [this] { return ping(*client({})); }};
};

class PrivateRedis : public AddressedRedis {
 public:
  PrivateRedis(std::unique_ptr<servers::RedisServer> server, const RunPlan& plan,
               std::string durability)
      : AddressedRedis({.unix_socket = server->socket().string()}, plan),
        server_(std::move(server)),
        durability_(std::move(durability)) {}

  ~PrivateRedis() override { proxy_.reset(); }  // before the server that it forwards to

  std::vector<Fault> faults(const Timing& timing) override {
    if (!is_process_fault(fault_)) return AddressedRedis::faults(timing);
    servers::RedisServer* server = server_.get();
    return process_faults(fault_, timing,
                          {.kill = [=] { return server->kill(); },
                           .start = [=] { return server->start(); },
                           .pause = [=] { return server->pause(); },
                           .resume = [=] { return server->resume(); },
                           .save = [this] { return save(); }},
                          probe_);
  }

  harness::ServerUsed used() const override {
    return {.kind = "redis",
            .version = server_->version(),
            .where = "private, Unix socket, removed on exit",
            .pid = server_->pid(),
            .durability = durability_};
  }

 private:
  Result<void> save() {
    auto saved = direct_client({})->command({"SAVE"});
    if (!saved) return saved.error();
    return {};
  }

  std::unique_ptr<servers::RedisServer> server_;
  const std::string durability_;
};

class UsersRedis : public AddressedRedis {
 public:
  using AddressedRedis::AddressedRedis;

  harness::ServerUsed used() const override {
    return {.kind = "redis",
            .version = version_,
            .where = address_.display() + ", yours",
            .pid = 0,
            .durability = "yours"};
  }

  /// The run flushes the database that it uses, so it takes only an empty one.
  void require_empty() {
    auto redis = direct_client({});
    const infra::RedisCall patience{.timeout = 2s};
    const auto size = redis->command({"DBSIZE"}, patience);
    if (!size) {
      throw Failure(Error{
          ErrorCode::unavailable, Happened::no,
          fmt::format("cannot use the Redis at {}: {}", address_.display(), size.error().message)});
    }
    if (size->integer != 0) {
      throw Failure(Error{ErrorCode::unavailable, Happened::no,
                          fmt::format("the Redis at {} holds {} keys in database {}; name an empty "
                                      "one, as in redis://host/9: the run empties it",
                                      address_.display(), size->integer, address_.database)});
    }
    if (const auto info = redis->command({"INFO", "server"}, patience)) {
      const auto at = info->text.find("redis_version:");
      if (at != std::string::npos)
        version_ = info->text.substr(at + 14, info->text.find_first_of("\r\n", at) - at - 14);
    }
  }

 private:
  std::string version_ = "unknown version";
};

class TwinRedis : public RedisBackend {
 public:
  explicit TwinRedis(const RunPlan& plan) : fault_(plan.fault) {}

  std::unique_ptr<infra::Redis> client(infra::RedisOptions) override { return twin_.client(); }
  std::unique_ptr<infra::Redis> direct_client(infra::RedisOptions) override {
    return twin_.client();
  }

  std::vector<Fault> faults(const Timing& timing) override {
    const auto calling = [this](void (infra::EmbeddedRedis::*act)()) {
      return [this, act] {
        (twin_.*act)();
        return done();
      };
    };
    return process_faults(fault_, timing,
                          {.kill = calling(&infra::EmbeddedRedis::kill),
                           .start = calling(&infra::EmbeddedRedis::start),
                           .pause = calling(&infra::EmbeddedRedis::pause),
                           .resume = calling(&infra::EmbeddedRedis::resume),
                           .save = calling(&infra::EmbeddedRedis::save)},
                          probe_);
  }

  FaultEffect effect() const override { return probe_.seen(); }

  harness::ServerUsed used() const override {
    return {.kind = "embedded cache",
            .version = "in-process",
            .where = fmt::format("this process, {:.0f} µs charged per round trip",
                                 microseconds(options_.round_trip)),
            .pid = 0,
            .durability = "none: a cache"};
  }

  std::optional<infra::RedisAddress> address() const override { return std::nullopt; }
  std::optional<infra::RedisAddress> client_address() const override { return std::nullopt; }
  std::vector<std::string> tool_arguments() const override { return {}; }

 private:
  std::string fault_;
  infra::EmbeddedRedis::Options options_;
  infra::EmbeddedRedis twin_{options_};
  FaultProbe probe_{"PING", [this] { return ping(*twin_.client()); }};
};

}  // namespace

std::unique_ptr<RedisBackend> private_redis(servers::Supervisor& supervisor, const RunPlan& plan,
                                            bool durable) {
  const bool append_only = durable && plan.fault != "broker-kill-volatile";
  const bool snapshots = plan.fault == "redis-old-dump";
  auto server = supervisor.redis({.append_only = append_only, .snapshots = snapshots});
  if (!server) throw Failure(server.error());
  const char* const durability = append_only ? "append-only file, written before the answer, no "
                                               "fsync: survives kill -9, not power loss"
                                 : snapshots ? "a snapshot when the load begins"
                                 : durable   ? "none: no append-only file"
                                             : "none: a cache";
  return std::make_unique<PrivateRedis>(std::move(*server), plan, durability);
}

std::unique_ptr<RedisBackend> embedded_redis(const RunPlan& plan) {
  return std::make_unique<TwinRedis>(plan);
}

std::unique_ptr<RedisBackend> users_redis(const RunPlan& plan) {
  auto address = infra::RedisAddress::parse(plan.flags.redis_url);
  if (!address)
    throw Failure(
        Error{ErrorCode::invalid, Happened::no, "--redis-url: " + address.error().message});
  auto redis = std::make_unique<UsersRedis>(*address, plan);
  redis->require_empty();
  return redis;
}

}  // namespace lab::backends
