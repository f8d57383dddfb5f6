#include "workload.h"

#include <fmt/format.h>

#include <memory>

#include "core/random.h"
#include "serving.h"

namespace blocking_vs_async_io {
namespace {

using lab::net::HttpLoad;
using lab::net::request_bytes;
using namespace std::chrono_literals;

HttpLoad load_of(int port, std::size_t clients, Nanos duration, const std::string& target) {
  HttpLoad load;
  load.port = port;
  load.connections = clients;
  load.duration = duration;
  load.request = [bytes = request_bytes("GET", target)](std::uint64_t) -> const std::string& {
    return bytes;
  };
  return load;
}

}  // namespace

Sizes choose_sizes(const lab::harness::RunPlan& plan) {
  const bool quick = plan.flags.quick;
  Sizes sizes;
  sizes.echoes = {0, 1, 2, 700, quick ? 5'000U : 70'000U};
  sizes.beside_slow_calls = quick ? 200ms : 500ms;
  sizes.window = quick ? 25ms : 50ms;
  sizes.idle = quick ? 1'000 : 10'000;
  sizes.settling = quick ? 500ms : 3s;
  sizes.limits.send = quick ? 200ms : 500ms;
  return sizes;
}

HttpLoad static_load(int port, std::size_t clients, Nanos duration) {
  return load_of(port, clients, duration, "/");
}

HttpLoad slow_load(int port, Nanos duration) {
  return load_of(port, kSlowCallers, duration, "/report");
}

HttpLoad product_load(int port, Nanos duration, std::uint64_t seed) {
  // Made beforehand: the load should cost the machine as little as it can.
  struct Asked {
    std::vector<std::string> requests, begins;
  };
  auto asked = std::make_shared<Asked>();
  for (std::int64_t id = 1; id <= kProducts; ++id) {
    asked->requests.push_back(request_bytes("GET", fmt::format("/products/{}", id)));
    asked->begins.push_back(fmt::format("{{\"id\":{},", id));
  }
  const auto id_of = [seed](std::uint64_t number) {
    return static_cast<std::size_t>(lab::mix64(seed * 1'000'003 + number) % kProducts);
  };
  HttpLoad load = load_of(port, kClients, duration, "/");
  load.request = [asked, id_of](std::uint64_t number) -> const std::string& {
    return asked->requests[id_of(number)];
  };
  load.verify = [asked, id_of](std::uint64_t number, const Response& response) -> std::string {
    const auto& begin = asked->begins[id_of(number)];
    if (response.status == 200 && response.body.starts_with(begin)) return {};
    return fmt::format("status {}, {}", response.status, response.body.substr(0, 60));
  };
  return load;
}

std::string echo_body(std::size_t size, std::uint64_t seed) {
  lab::Random random(seed);
  std::string body(size, '\0');
  for (auto& c : body) c = static_cast<char>(random.below(256));
  return body;
}

}  // namespace blocking_vs_async_io
