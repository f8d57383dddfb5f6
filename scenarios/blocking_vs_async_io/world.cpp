#include "world.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <map>
#include <set>

#include "backends/backends.h"
#include "core/result.h"
#include "core/text.h"
#include "net/server_process.h"
#include "net/slow_peers.h"
#include "trial.h"

namespace blocking_vs_async_io {
namespace {

using namespace lab::harness;
using lab::net::ServerProcess;
using lab::net::SlowPeers;
using lab::net::SlowPeersOptions;
using namespace std::chrono_literals;

std::vector<int> all_cpus(const Placement& placement) {
  std::set<int> cpus(placement.load.begin(), placement.load.end());
  cpus.insert(placement.servers.begin(), placement.servers.end());
  return {cpus.begin(), cpus.end()};
}

/// Thousands of idle connections need as many descriptors, here and in the server, which inherits the limit.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

class World : public Session {
 public:
  World(RunPlan& plan, EventStream& events)
      : backends_(lab::backends::open(plan, events, {.redis = true})),
        plan_(plan),
        usable_(all_cpus(plan.placement)),
        sizes_(choose_sizes(plan)) {
    raise_descriptor_limit();
    constexpr std::size_t kOthers = 200;  // descriptors of anything else
    if (descriptor_limit() <= kOthers)
      throw lab::Failure(
          lab::Error{lab::ErrorCode::unavailable, lab::Happened::no,
                     fmt::format("a limit of {} open files (ulimit -n) is too low: clients and "
                                 "servers need more than {}",
                                 descriptor_limit(), kOthers)});
    if (sizes_.idle + kOthers > descriptor_limit()) {
      sizes_.idle = descriptor_limit() - kOthers;
      events.emit("note", {{"text", fmt::format("{} idle connections: the limit of open files "
                                                "allows no more",
                                                sizes_.idle)}});
    }
  }

  std::vector<ServerUsed> servers() const override { return {backends_.redis->used()}; }

  std::string load_in_words() const override {
    return fmt::format(
        "trial: {} clients beside 0, {} and {} slow peers ({} ms a byte), {} idle connections; "
        "speed: "
        "{} connections, closed loop, cached GET /products/{{id}} of {}, beside as many slow peers",
        kCrowd, kPool, 10 * kPool, kBetweenBytes / 1ms,
        lab::with_thousands(static_cast<long long>(sizes_.idle)), kClients, kProducts);
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    return run_trial(setting(variant), events);
  }

  RoundReport round(const Variant& variant, int index) override {
    ServerProcess& server = server_of(variant);
    RoundReport report;
    for (const std::size_t slow : {std::size_t{0}, kPool, 10 * kPool}) {
      const SlowPeers peers({.port = server.port(), .peers = slow, .between_bytes = kBetweenBytes});
      measure(server, slow, index, report);
    }
    return report;
  }

  std::vector<Limit> limits(int) override {
    return lab::backends::redis_get_limit(*backends_.redis, kClients,
                                          plan_.flags.quick ? 3000 : 20000, "requests_per_second");
  }

 private:
  Setting setting(const Variant& variant) const {
    ServeOrders orders{.variant = variant.name,
                       .threads = kPool,
                       .cores = usable_.size(),
                       .limits = sizes_.limits,
                       .redis = backends_.redis->address(),
                       .seed = plan_.flags.seed};
    return {plan_, sizes_, std::move(orders), usable_,
            !variant.promise.is_silent_on("slow-peers-isolated", plan_.fault)};
  }

  /// One process for all rounds, warm: every product has been asked for.
  ServerProcess& server_of(const Variant& variant) {
    auto& server = servers_[variant.name];
    if (!server) {
      server = std::make_unique<ServerProcess>(start(setting(variant)));
      (void)run_http_load(product_load(server->port(), plan_.timing.round, plan_.flags.seed));
    }
    return *server;
  }

  void measure(const ServerProcess& server, std::size_t slow, int index, RoundReport& report) {
    auto load = product_load(server.port(), plan_.timing.round,
                             plan_.flags.seed + static_cast<std::uint64_t>(index));
    load.warm_up = plan_.timing.round / 5;
    const auto result = run_http_load(load);
    if (result.wrong > 0) report.spoiled = result.first_problem;
    Histogram all = result.latency;
    all.merge(result.unanswered_waited);
    const std::string when = slow == 0 ? "" : fmt::format("beside_{}_slow_", slow);
    report.metrics.push_back({.name = when + "requests_per_second",
                              .unit = "1/s",
                              .better = Better::higher,
                              .samples = {result.per_second()}});
    report.metrics.push_back({.name = when + "p99_ms",
                              .unit = "ms",
                              .better = Better::lower,
                              .samples = {lab::milliseconds(all.percentile(0.99))}});
    if (slow == 0) report.histograms["request"] = all;
  }

  lab::backends::Backends backends_;
  RunPlan plan_;
  const std::vector<int> usable_;  // the load has its place; the servers may go wherever they like
  Sizes sizes_;
  std::map<std::string, std::unique_ptr<ServerProcess>> servers_;
};

}  // namespace

Timing timing(const Flags& flags) {
  Timing timing;
  timing.steady =
      flags.quick ? 1'200ms : 3s;  // of a trial, for the estimate: its steps have their own times
  timing.round = flags.quick ? 30ms : 120ms;
  timing.rounds = flags.quick ? 1 : 9;
  return timing;
}

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream& events) {
  return std::make_unique<World>(plan, events);
}

int serve_alone(const ServeRequest& request) {
  RunPlan plan;
  plan.flags = request.flags;
  plan.fault = request.flags.fault;
  plan.backend = request.flags.backend.value_or(Backend::real);
  EventStream silent;
  const auto backends = lab::backends::open(plan, silent, {.redis = true});
  raise_descriptor_limit();
  ServerProcess server({.orders = to_json(ServeOrders{.variant = request.variant.name,
                                                      .port = request.port,
                                                      .threads = kPool,
                                                      .cores = all_cpus(choose_placement()).size(),
                                                      .redis = backends.redis->address(),
                                                      .seed = request.flags.seed})});
  return serve_until_stopped(server);
}

}  // namespace blocking_vs_async_io
