#include "judge/graph.h"

#include <algorithm>
#include <limits>

namespace lab::judge {
namespace {

constexpr std::uint32_t kUnseen = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kWork = 20'000'000;  // arcs looked at for one component

/// Tarjan's algorithm with the stack of calls as data.
class Tarjan {
 public:
  explicit Tarjan(const Graph& graph)
      : graph_(graph), index_(graph.nodes(), kUnseen), low_(graph.nodes()), open_(graph.nodes()) {}

  std::vector<std::vector<Node>> components() {
    for (Node root = 0; root < graph_.nodes(); ++root) {
      if (index_[root] == kUnseen) visit(root);
    }
    return std::move(found_);
  }

 private:
  struct Frame {
    Node node;
    std::uint32_t next;  // of its arcs
  };

  void enter(Node node) {
    index_[node] = low_[node] = counter_++;
    stack_.push_back(node);
    open_[node] = true;
    calls_.push_back({node, 0});
  }

  void visit(Node root) {
    enter(root);
    while (!calls_.empty()) {
      auto& [node, next] = calls_.back();
      const auto arcs = graph_.from(node);
      if (next == arcs.size()) {
        leave(node);
        continue;
      }
      const Node to = arcs[next++].to;
      if (index_[to] == kUnseen) {
        enter(to);  // `node` and `next` are no longer valid
      } else if (open_[to]) {
        low_[node] = std::min(low_[node], index_[to]);
      }
    }
  }

  void leave(Node node) {
    calls_.pop_back();
    if (!calls_.empty()) {
      const Node caller = calls_.back().node;
      low_[caller] = std::min(low_[caller], low_[node]);
    }
    if (low_[node] != index_[node]) return;
    std::vector<Node> component;
    Node member = 0;
    do {
      member = stack_.back();
      stack_.pop_back();
      open_[member] = false;
      component.push_back(member);
    } while (member != node);
    if (component.size() > 1) found_.push_back(std::move(component));
  }

  const Graph& graph_;
  std::vector<std::uint32_t> index_, low_;
  std::vector<bool> open_;
  std::vector<Node> stack_;
  std::vector<Frame> calls_;
  std::uint32_t counter_ = 0;
  std::vector<std::vector<Node>> found_;
};

}  // namespace

Graph::Graph(std::size_t nodes, std::vector<Arc> arcs) : arcs_(arcs.size()), first_(nodes + 1) {
  for (const auto& arc : arcs) ++first_[arc.from + 1];
  for (std::size_t node = 0; node < nodes; ++node) first_[node + 1] += first_[node];
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  for (const auto& arc : arcs) arcs_[next[arc.from]++] = arc;
}

std::vector<std::vector<Node>> cyclic_components(const Graph& graph) {
  return Tarjan(graph).components();
}

CycleSearch::CycleSearch(const Graph& graph)
    : graph_(graph), component_(graph.nodes()), seen_(graph.nodes()), reached_by_(graph.nodes()) {}

std::vector<Arc> CycleSearch::shortest(const std::vector<Node>& component,
                                       const std::function<bool(const Arc&)>& through,
                                       Instant deadline) {
  ++searches_;
  work_ = 0;
  for (const Node node : component) component_[node] = searches_;
  std::vector<Arc> best;
  for (const Node node : component) {
    for (const auto& arc : graph_.from(node)) {
      if (component_[arc.to] != searches_ || !through(arc)) continue;
      const std::size_t longest = best.empty() ? component.size() : best.size() - 2;
      if (!reach(arc.to, arc.from, longest)) continue;
      best = path_to(arc.to, arc.from);
      best.insert(best.begin(), arc);
      if (best.size() == 2) return best;
    }
    if (!best.empty() && (work_ > kWork || now() >= deadline)) break;
  }
  return best;
}

bool CycleSearch::reach(Node start, Node goal, std::size_t longest) {
  ++walks_;
  queue_.assign(1, start);
  seen_[start] = walks_;
  std::size_t level_end = 1, length = 0;
  for (std::size_t at = 0; at < queue_.size(); ++at) {
    if (at == level_end) {
      level_end = queue_.size();
      ++length;
    }
    if (length >= longest) return false;
    for (const auto& arc : graph_.from(queue_[at])) {
      ++work_;
      if (component_[arc.to] != searches_ || seen_[arc.to] == walks_) continue;
      seen_[arc.to] = walks_;
      reached_by_[arc.to] = arc;
      if (arc.to == goal) return true;
      queue_.push_back(arc.to);
    }
  }
  return false;
}

std::vector<Arc> CycleSearch::path_to(Node start, Node goal) const {
  std::vector<Arc> path;
  for (Node node = goal; node != start; node = reached_by_[node].from)
    path.push_back(reached_by_[node]);
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace lab::judge
