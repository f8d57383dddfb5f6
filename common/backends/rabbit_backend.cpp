#include <fmt/format.h>

#include <future>
#include <mutex>

#include "backends/fault_probe.h"
#include "backends/open.h"
#include "faults/proxy.h"

namespace lab::backends {
namespace {

using faults::Fault;
using harness::RunPlan;
using harness::Timing;

constexpr const char* kDurability =
    "confirmed messages on disk: quorum queues sync first; they survive a kill";

/// Above a healthy login, below the shortest fault.
constexpr std::chrono::milliseconds kLoginPatience{100};

Result<void> log_in(const infra::AmqpAddress& address) {
  const auto connected = infra::Amqp::connect(address, {.connect_timeout = kLoginPatience});
  if (!connected) return connected.error();
  return {};
}

/// The proxy before a broker, when the run's fault is one of the network.
class Doorway {
 public:
  Doorway(const infra::AmqpAddress& address, const RunPlan& plan) : address_(address) {
    if (plan.fault != "broker-reset") return;
    proxy_ = std::make_unique<faults::FaultProxy>(
        faults::FaultProxy::Options{.upstream = {{}, address.host, address.port},
                                    .listen_unix_socket = {},
                                    .seed = plan.flags.seed});
  }

  const infra::AmqpAddress& behind() const { return address_; }

  infra::AmqpAddress before() const {
    infra::AmqpAddress address = address_;
    if (!proxy_) return address;
    address.host = proxy_->endpoint().host;
    address.port = proxy_->endpoint().port;
    return address;
  }

  std::vector<Fault> faults(const Timing& timing) {
    if (!proxy_) return {};
    resets_before_ = proxy_->counters().resets;
    const auto reset = [proxy = proxy_.get()]() -> Result<void> {
      proxy->reset_all();
      return {};
    };
    const auto window = timing.fault_window();
    return {Fault{"broker-reset", "rabbitmq", window.begin, window.length(), reset, reset}};
  }

  std::optional<FaultEffect> effect() const {
    if (!proxy_) return std::nullopt;
    const auto count = proxy_->counters().resets - resets_before_;
    return FaultEffect{count > 0, fmt::format("{} connections reset", count)};
  }

 private:
  const infra::AmqpAddress address_;
  std::unique_ptr<faults::FaultProxy> proxy_;
  std::uint64_t resets_before_ = 0;
};

/// Starts on a thread of its own, so that a run may do other things meanwhile.
class PrivateRabbit : public RabbitBackend {
 public:
  PrivateRabbit(std::shared_ptr<servers::Supervisor> supervisor, const RunPlan& plan)
      : plan_(plan),
        version_(servers::find_rabbitmq().version),
        starting_(std::async(std::launch::async, [supervisor] { return supervisor->rabbitmq(); })) {
  }

  infra::AmqpAddress address() override { return started().doorway.behind(); }
  infra::AmqpAddress client_address() override { return started().doorway.before(); }

  std::vector<Fault> faults(const Timing& timing) override {
    auto& [server, doorway] = started();
    const auto during = [&](auto breaks, auto mends) {
      return probed(plan_.fault, "rabbitmq", timing, breaks, mends, probe_);
    };
    servers::RabbitServer* broker = server.get();
    if (plan_.fault == "broker-kill")
      return {during([=] { return broker->kill(); }, [=] { return broker->start(); })};
    if (plan_.fault == "broker-pause")
      return {during([=] { return broker->pause(); }, [=] { return broker->resume(); })};
    return doorway.faults(timing);
  }

  FaultEffect effect() const override {
    const std::lock_guard lock(mutex_);
    const auto reset = started_ ? started_->doorway.effect() : std::nullopt;
    return reset.value_or(probe_.seen());
  }

  harness::ServerUsed used() const override {
    const std::lock_guard lock(mutex_);
    return {.kind = "rabbitmq",
            .version = version_,
            .where = "private, a port of 127.0.0.1, removed on exit",
            .pid = started_ ? started_->server->pid() : 0,
            .durability = kDurability};
  }

 private:
  struct Started {
    std::unique_ptr<servers::RabbitServer> server;
    Doorway doorway;
  };

  Started& started() {
    const std::lock_guard lock(mutex_);
    if (started_) return *started_;
    if (!starting_.valid()) throw Failure("rabbitmq could not be started");
    auto server = starting_.get();
    if (!server) throw Failure(server.error());
    const infra::AmqpAddress address{.port = (*server)->port(),
                                     .user = (*server)->user(),
                                     .password = (*server)->password(),
                                     .vhost = (*server)->vhost()};
    started_.reset(new Started{std::move(*server), Doorway(address, plan_)});
    return *started_;
  }

  const RunPlan plan_;
  const std::string version_;
  mutable std::mutex mutex_;
  std::future<Result<std::unique_ptr<servers::RabbitServer>>> starting_;
  std::unique_ptr<Started> started_;
  FaultProbe probe_{"login", [this] { return log_in(address()); }};
};

class UsersRabbit : public RabbitBackend {
 public:
  UsersRabbit(const infra::AmqpAddress& address, std::string version, const RunPlan& plan)
      : version_(std::move(version)), doorway_(address, plan) {}

  infra::AmqpAddress address() override { return doorway_.behind(); }
  infra::AmqpAddress client_address() override { return doorway_.before(); }
  std::vector<Fault> faults(const Timing& timing) override { return doorway_.faults(timing); }
  FaultEffect effect() const override {
    return doorway_.effect().value_or(FaultEffect{false, "not started by this run"});
  }

  harness::ServerUsed used() const override {
    return {.kind = "rabbitmq",
            .version = version_,
            .where = doorway_.behind().display() + ", yours",
            .pid = 0,
            .durability = "yours"};
  }

 private:
  const std::string version_;
  Doorway doorway_;
};

}  // namespace

std::unique_ptr<RabbitBackend> private_rabbit(std::shared_ptr<servers::Supervisor> supervisor,
                                              const RunPlan& plan) {
  return std::make_unique<PrivateRabbit>(std::move(supervisor), plan);
}

std::unique_ptr<RabbitBackend> users_rabbit(const RunPlan& plan) {
  const auto address = infra::AmqpAddress::parse(plan.flags.amqp_url);
  if (!address) {
    throw Failure(
        Error{ErrorCode::invalid, Happened::no, "--amqp-url: " + address.error().message});
  }
  const auto connected = infra::Amqp::connect(*address);
  if (!connected) {
    throw Failure(Error{ErrorCode::unavailable, Happened::no,
                        "cannot use the broker: " + connected.error().message});
  }
  return std::make_unique<UsersRabbit>(*address, (*connected)->server_version(), plan);
}

}  // namespace lab::backends
