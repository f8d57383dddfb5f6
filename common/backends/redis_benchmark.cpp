#include <fmt/format.h>

#include <charconv>

#include "backends/backends.h"
#include "core/subprocess.h"

namespace lab::backends {
namespace {

/// GETs per second; 0 when it could not be measured.
double gets_per_second(const RedisBackend& redis, std::size_t clients, std::size_t requests) {
  const auto address = redis.tool_arguments();
  if (address.empty()) return 0;
  std::vector<std::string> argv{"redis-benchmark"};
  argv.insert(argv.end(), address.begin(), address.end());
  for (const auto& word : {std::string("-c"), std::to_string(clients), std::string("-t"),
                           std::string("set,get"), std::string("-d"), std::string("64"),
                           std::string("-n"), std::to_string(requests), std::string("--csv")})
    argv.push_back(word);
  const auto output = run_program(argv, 20s);
  if (!output) return 0;
  // A line of its CSV: "GET","93457.94",…
  const std::string begin = "\"GET\",\"";
  const auto line = output->text.find(begin);
  if (line == std::string::npos) return 0;
  double rate = 0;
  std::from_chars(output->text.data() + line + begin.size(),
                  output->text.data() + output->text.size(), rate);
  return rate;
}

}  // namespace

std::vector<harness::Limit> redis_get_limit(const RedisBackend& redis, std::size_t clients,
                                            std::size_t requests, const std::string& metric) {
  const double rate = gets_per_second(redis, clients, requests);
  if (rate <= 0) return {};
  return {{.name = fmt::format("redis-benchmark -c {} -t get -d 64", clients),
           .metric = metric,
           .unit = "1/s",
           .samples = {rate},
           .best = {},
           .ratio = {}}};
}

}  // namespace lab::backends
