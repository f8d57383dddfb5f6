#include "net/server_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <nlohmann/json.hpp>

#include "actors/role.h"
#include "core/stop.h"
#include "harness/exit_status.h"

namespace lab::net {
namespace {

using nlohmann::json;

actors::ActorOptions actor_options(const ServerOptions& options) {
  json orders{{"orders", options.orders}};
  if (options.limits.open_descriptors)
    orders["open_descriptors"] = *options.limits.open_descriptors;
  if (options.limits.address_space_bytes)
    orders["address_space_bytes"] = *options.limits.address_space_bytes;
  return {.role = options.role,
          .orders = orders.dump(),
          .cpus = options.cpus,
          .program = options.program};
}

void limit(const json& orders, const char* name, decltype(RLIMIT_NOFILE) resource) {
  if (!orders.contains(name)) return;
  const auto most = static_cast<rlim_t>(orders.at(name).get<std::uint64_t>());
  rlimit now_in_force{};
  ::getrlimit(resource, &now_in_force);
  const rlimit wanted{most, std::max(most, now_in_force.rlim_max)};
  if (::setrlimit(resource, &wanted) != 0)
    throw Failure(
        Error{ErrorCode::exhausted, Happened::no,
              fmt::format("the limit of {} cannot be {}: {}", name, most, std::strerror(errno))});
}

sigset_t stop_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

struct ServerProcess::State {
  explicit State(const ServerOptions& options) : actor(actor_options(options)) {}
  actors::Actor actor;
  int port = 0;
};

ServerProcess::ServerProcess(const ServerOptions& options)
    : state_(std::make_unique<State>(options)) {
  const auto line = state_->actor.next_line(options.start_limit);
  const json said = line ? json::parse(*line, nullptr, /*allow_exceptions=*/false) : json();
  if (said.is_object() && said.contains("port")) {
    state_->port = said.at("port");
    return;
  }
  std::string why = "it said nothing in time";
  if (said.is_object()) {
    why = said.value("failed", "it said what makes no sense");
  } else if (const auto ending = state_->actor.wait(line ? 0ns : 100ms)) {
    why = "it " + describe(*ending);
  }
  throw Failure(Error{ErrorCode::unavailable, Happened::no, "a server did not start: " + why});
}

ServerProcess::~ServerProcess() = default;
ServerProcess::ServerProcess(ServerProcess&&) noexcept = default;
ServerProcess& ServerProcess::operator=(ServerProcess&&) noexcept = default;

int ServerProcess::port() const {
  return state_->port;
}

pid_t ServerProcess::pid() const {
  return state_->actor.pid();
}

Result<Usage> ServerProcess::usage() const {
  return usage_of(pid());
}

actors::Ending ServerProcess::stop(Nanos limit) {
  state_->actor.terminate();
  state_->actor.resume();
  if (const auto ending = state_->actor.wait(limit)) return *ending;
  state_->actor.kill();
  return state_->actor.wait(0ns).value_or(actors::Ending{0, SIGKILL});
}

void ServerProcess::kill() {
  state_->actor.kill();
}
void ServerProcess::pause() {
  state_->actor.pause();
}
void ServerProcess::resume() {
  state_->actor.resume();
}
std::optional<actors::Ending> ServerProcess::ended() {
  return state_->actor.wait(0ns);
}
actors::Actor& ServerProcess::actor() {
  return state_->actor;
}

int serve_until_stopped(ServerProcess& server) {
  fmt::print("{{\"listen\":\"127.0.0.1:{}\"}}\n", server.port());
  std::fflush(stdout);
  while (!stop_requested()) {  // the signal may meet any thread, so it is looked for
    const auto ending = server.actor().wait(20ms);
    if (!ending) continue;
    fmt::print(stderr, "the server {}\n", describe(*ending));
    return harness::kEnvironmentFailed;
  }
  const auto ending = server.stop();
  if (!ending.killed() && ending.status == 0) return harness::kAsPromised;
  fmt::print(stderr, "the server {} when it was told to stop\n", describe(ending));
  return harness::kEnvironmentFailed;
}

int stop_descriptor() {
  static const int descriptor = [] {
    const sigset_t signals = stop_signals();
    return ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }();
  return descriptor;
}

void wait_for_stop() {
  pollfd waiting{stop_descriptor(), POLLIN, 0};
  while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
}

void tell_port(int port) {
  actors::tell_run(json{{"port", port}}.dump());
}

int serve_role(const std::function<int(const std::string& orders)>& serve) {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread, so that all inherit it
  ::signal(SIGPIPE, SIG_IGN);
  try {
    const json orders = json::parse(actors::take_orders());
    stop_descriptor();
    limit(orders, "open_descriptors", RLIMIT_NOFILE);
    limit(orders, "address_space_bytes", RLIMIT_AS);
    return serve(orders.at("orders").get<std::string>());
  } catch (const std::exception& problem) {
    actors::tell_run(json{{"failed", problem.what()}}.dump());
    return harness::kEnvironmentFailed;
  }
}

}  // namespace lab::net
