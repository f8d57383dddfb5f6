#include "resets.h"

#include <filesystem>
#include <thread>

#include "core/random.h"
#include "faults/proxy.h"

namespace order_transactions {
namespace {

using namespace std::chrono_literals;
using lab::faults::Endpoint;
using lab::infra::SqlAddress;
using lab::infra::SqlEngine;

constexpr double kShare = 0.02;             // of the commits
constexpr lab::Nanos kWay = 20ms;           // each way, so that it is known where the bytes are
constexpr lab::Nanos kOnTheWayThere = 8ms;  // the COMMIT has not arrived
constexpr lab::Nanos kOnTheWayBack = 35ms;  // it has, and was carried out; the answer is under way

std::string socket_file(const SqlAddress& address, const std::string& folder) {
  return address.engine == SqlEngine::postgres
             ? folder + "/.s.PGSQL." + std::to_string(address.port)
             : folder;
}

lab::faults::FaultProxy::Options options(const SqlAddress& address, const std::string& folder) {
  lab::faults::FaultProxy::Options options;
  if (address.unix_socket.empty()) {
    options.upstream = {.host = address.host, .port = address.port};
    return options;
  }
  std::filesystem::create_directories(folder);
  options.upstream.unix_socket = socket_file(address, address.unix_socket);
  options.listen_unix_socket =
      address.engine == SqlEngine::postgres ? socket_file(address, folder) : folder + "/proxy.sock";
  std::filesystem::remove(options.listen_unix_socket);  // of an earlier life
  return options;
}

}  // namespace

struct Resets::State {
  SqlAddress database;
  std::string folder;
  lab::Random random;
  lab::faults::FaultProxy proxy;
  std::jthread reset;  // under way
};

Resets::Resets(const SqlAddress& database, const std::string& folder, std::uint64_t seed)
    : state_(new State{database,
                       folder,
                       lab::Random(seed).stream(77),
                       lab::faults::FaultProxy(options(database, folder)),
                       {}}) {}

Resets::~Resets() = default;

SqlAddress Resets::address() const {
  SqlAddress address = state_->database;
  const Endpoint endpoint = state_->proxy.endpoint();
  if (address.unix_socket.empty()) {
    address.host = endpoint.host;
    address.port = endpoint.port;
  } else {
    address.unix_socket =
        address.engine == SqlEngine::postgres ? state_->folder : endpoint.unix_socket;
  }
  return address;
}

void Resets::committing() {
  if (state_->reset.joinable()) state_->reset.join();
  if (!state_->random.chance(kShare)) return;
  const lab::Nanos moment = state_->random.chance(0.5) ? kOnTheWayThere : kOnTheWayBack;
  state_->proxy.set({.latency = kWay});
  state_->reset = std::jthread([this, moment] {
    std::this_thread::sleep_for(moment);
    state_->proxy.reset_all();
    state_->proxy.set({});
  });
}

}  // namespace order_transactions
