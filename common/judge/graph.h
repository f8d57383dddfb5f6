#pragma once
// A directed graph that is built once and then searched for cycles. No recursion: it may have as
// many nodes as a history has transactions.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/clock.h"

namespace lab::judge {

using Node = std::uint32_t;

struct Arc {
  Node from = 0, to = 0;
  std::uint32_t name = 0;  // what the caller knows it by
};

class Graph {
 public:
  Graph(std::size_t nodes, std::vector<Arc> arcs);

  std::size_t nodes() const { return first_.size() - 1; }
  std::span<const Arc> from(Node node) const {
    return {arcs_.data() + first_[node], first_[node + 1] - first_[node]};
  }

 private:
  std::vector<Arc> arcs_;             // grouped by `from`
  std::vector<std::uint32_t> first_;  // where each node's begin
};

/// The strongly connected components that hold a cycle, by Tarjan's algorithm (1972).
std::vector<std::vector<Node>> cyclic_components(const Graph& graph);

/// Not thread-safe: it keeps its memory from one component to the next.
class CycleSearch {
 public:
  explicit CycleSearch(const Graph& graph);

  /// A shortest cycle within the component among those that use an arc for which `through` says
  /// yes; empty when no arc in it does. Arcs in order, each beginning where the last one ended.
  /// In a large component, or after the deadline, it is a short one and perhaps not the shortest.
  std::vector<Arc> shortest(const std::vector<Node>& component,
                            const std::function<bool(const Arc&)>& through, Instant deadline);

 private:
  /// Breadth first from `start` to `goal` inside the marked component, at most `longest` arcs.
  bool reach(Node start, Node goal, std::size_t longest);
  std::vector<Arc> path_to(Node start, Node goal) const;

  const Graph& graph_;
  std::vector<std::uint32_t> component_;  // the number of the search that a node belongs to
  std::vector<std::uint32_t> seen_;       // the number of the walk that saw it
  std::vector<Arc> reached_by_;
  std::vector<Node> queue_;
  std::uint32_t searches_ = 0, walks_ = 0;
  std::uint64_t work_ = 0;
};

}  // namespace lab::judge
