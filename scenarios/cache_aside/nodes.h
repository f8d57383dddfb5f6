#pragma once
// The nodes of one variant: each with its own connections to the cache and its own view of the database, whose connections
// they share.

#include <memory>
#include <vector>

#include "fault_run.h"

namespace cache_aside {

class Nodes {
 public:
  enum class Path { as_the_fault_needs, direct };

  Nodes(const Setting& setting, Path path);

  Catalog& catalog(std::uint32_t client) { return *nodes_[client % kNodes].catalog; }
  ObservedStore& store(std::uint32_t node) { return *nodes_[node].store; }
  void set_extra_latency(lab::Nanos latency);

  /// Every product of the catalogue read once, by one node or the other.
  void warm_up();

 private:
  struct Node {
    std::unique_ptr<lab::infra::Redis> redis;
    std::unique_ptr<ObservedStore> store;
    std::unique_ptr<Catalog> catalog;  // last: it uses the others
  };
  std::vector<Node> nodes_;
};

/// Empties the cache. Throws Failure when it cannot be reached.
void empty_cache(const Setting& setting);

}  // namespace cache_aside
