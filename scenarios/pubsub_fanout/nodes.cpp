#include "nodes.h"

#include <fmt/format.h>

namespace pubsub_fanout {

Nodes::Nodes(const Setting& setting, std::size_t count, bool empty) : setting_(setting) {
  if (setting.recipe.many_nodes) {
    if (empty) {
      const auto emptied = setting.backends.redis->direct_client()->command({"FLUSHDB"});
      if (!emptied) throw lab::Failure(emptied.error());
    }
    const auto address = *setting.backends.redis->address();
    for (std::size_t i = 0; setting.plan.fault == kCut && i < count; ++i) {
      proxies_.push_back(std::make_unique<lab::faults::FaultProxy>(lab::faults::FaultProxy::Options{
          .upstream = {address.unix_socket, address.host, address.port},
          .listen_unix_socket = {},
          .seed = setting.plan.flags.seed + i}));
    }
  }
  for (std::size_t i = 0; i < count; ++i) nodes_.push_back(start(i));
}

Nodes::~Nodes() = default;

std::string Nodes::name(std::size_t node) const {
  return fmt::format("n{}", node + 1);
}

std::unique_ptr<lab::net::ServerProcess> Nodes::start(std::size_t node) const {
  NodeOrders orders{.variant = setting_.recipe.variant, .name = name(node)};
  if (setting_.recipe.many_nodes) orders.redis = *setting_.backends.redis->address();
  if (!proxies_.empty()) {
    const auto proxy = proxies_[node]->endpoint();
    orders.redis.unix_socket.clear();
    orders.redis.host = proxy.host;
    orders.redis.port = proxy.port;
  }
  return std::make_unique<lab::net::ServerProcess>(lab::net::ServerOptions{
      .orders = to_json(orders), .limits = {}, .cpus = setting_.plan.placement.servers});
}

std::vector<int> Nodes::ports() const {
  std::vector<int> ports;
  for (const auto& node : nodes_) ports.push_back(node ? node->port() : 0);
  return ports;
}

std::vector<int> Nodes::processes() const {
  std::vector<int> processes;
  for (const auto& node : nodes_) {
    if (node) processes.push_back(node->pid());
  }
  return processes;
}

void Nodes::kill(std::size_t node) {
  if (nodes_[node]) nodes_[node]->kill();
}

void Nodes::start_again(std::size_t node) {
  nodes_[node].reset();
  starting_node_ = node;
  starting_ = true;
  starter_ = std::jthread([this, node] {
    try {
      started_ = start(node);
    } catch (const lab::Failure&) {
      started_.reset();  // it stays down, and clients that never come back tell
    }
    starting_ = false;
  });
}

bool Nodes::ready() {
  if (starting_) return false;
  if (starter_.joinable()) {
    starter_.join();
    nodes_[starting_node_] = std::move(started_);
  }
  return true;
}

void Nodes::cut(std::size_t node) {
  lab::faults::Damage damage;
  damage.refuse = true;
  proxies_[node]->set(damage);
  proxies_[node]->reset_all();
}

void Nodes::mend(std::size_t node) {
  proxies_[node]->set({});
}

}  // namespace pubsub_fanout
