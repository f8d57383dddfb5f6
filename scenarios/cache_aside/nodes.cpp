#include "nodes.h"

#include <thread>

namespace cache_aside {

Nodes::Nodes(const Setting& setting, Path path) {
  auto& redis = *setting.backends.redis;
  for (std::uint32_t index = 0; index < kNodes; ++index) {
    Node node;
    const lab::infra::RedisOptions options{.connections = 48};
    node.redis = path == Path::direct ? redis.direct_client(options) : redis.client(options);
    node.store = std::make_unique<ObservedStore>(setting.products);
    node.catalog = setting.recipe.make(*node.redis, *node.store, setting.times, index);
    nodes_.push_back(std::move(node));
  }
}

void Nodes::set_extra_latency(lab::Nanos latency) {
  for (auto& node : nodes_) node.store->set_extra_latency(latency);
}

void Nodes::warm_up() {
  std::vector<std::jthread> threads;
  constexpr std::int64_t kThreads = 8;
  for (std::int64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      for (std::int64_t id = 1 + thread; id <= kProducts; id += kThreads)
        (void)Workload::read(catalog(static_cast<std::uint32_t>(id)), ProductId{id});
    });
  }
}

void empty_cache(const Setting& setting) {
  const auto emptied = setting.backends.redis->direct_client()->command(
      {"FLUSHDB"}, {.timeout = std::chrono::seconds(5)});
  if (!emptied) throw lab::Failure(emptied.error());
}

}  // namespace cache_aside
