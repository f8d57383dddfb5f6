#pragma once
// A node as a process of its own: what it is told, and what it does.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chat_node.h"

namespace pubsub_fanout {

/// How a variant is made. One without a node lives in the run itself.
struct Recipe {
  std::string variant;
  std::function<std::unique_ptr<ChatNode>(NodeTools)> make;
  bool many_nodes = false;  // they meet in Redis
};

struct NodeOrders {
  std::string variant, name;
  int port = 0;  // 0: one that the kernel chooses
  lab::infra::RedisAddress redis{};
};

std::string to_json(const NodeOrders& orders);
NodeOrders from_json(const std::string& text);

/// Serves until the process is told to stop; beside rooms, /ws-echo returns what it gets. Returns the exit status.
int serve_node(const std::vector<Recipe>& recipes, const std::string& orders);

}  // namespace pubsub_fanout
