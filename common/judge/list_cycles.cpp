#include "judge/list_cycles.h"

#include <algorithm>
#include <functional>
#include <set>

#include "judge/graph.h"
#include "judge/list_dependencies.h"

namespace lab::judge {
namespace {

/// Looks for cycles among dependencies, from the strongest kind of anomaly to the weakest.
class CycleFinder {
 public:
  CycleFinder(const ListIndex& index, std::vector<Dependency> dependencies, std::size_t data,
              Instant deadline, Findings& findings)
      : index_(index),
        dependencies_(std::move(dependencies)),
        data_(data),
        deadline_(deadline),
        findings_(findings) {}

  /// False when the deadline passed before it was through.
  bool find(bool with_order) {
    with_order_ = with_order;
    const auto ww = [](Why why) { return why == Why::ww; };
    const auto wr = [](Why why) { return why == Why::wr; };
    const auto rw = [](Why why) { return why == Why::rw; };
    const auto no_rw = [](Why why) { return why != Why::rw; };
    const auto all = [](Why) { return true; };
    const auto no_wr_no_rw = [](Why why) { return why != Why::wr && why != Why::rw; };
    return search([&] { return plain(no_wr_no_rw); }, ww) &&
           search([&] { return plain(no_rw); }, wr) && search([&] { return apart(); }, rw) &&
           search([&] { return plain(all); }, rw);
  }

 private:
  std::size_t count() const { return with_order_ ? dependencies_.size() : data_; }

  Graph plain(const std::function<bool(Why)>& wanted) const {
    std::vector<Arc> arcs;
    for (std::uint32_t at = 0; at < count(); ++at) {
      const Dependency& it = dependencies_[at];
      if (wanted(it.why)) arcs.push_back({it.before, it.after, at});
    }
    return {index_.history().size(), std::move(arcs)};
  }

  /// Each transaction stands here twice: as one that is reached through rw, and as one that is
  /// not. No rw leads on from the former, so a cycle has no two rw in a row; and that is what
  /// snapshot isolation forbids, no less and no more (Cerone & Gotsman 2018).
  Graph apart() const {
    const auto nodes = static_cast<Node>(index_.history().size());
    std::vector<Arc> arcs;
    for (std::uint32_t at = 0; at < count(); ++at) {
      const Dependency& it = dependencies_[at];
      if (it.why == Why::rw) {
        arcs.push_back({it.before, nodes + it.after, at});
      } else {
        arcs.push_back({it.before, it.after, at});
        arcs.push_back({nodes + it.before, it.after, at});
      }
    }
    return {2 * std::size_t{nodes}, std::move(arcs)};
  }

  /// With the order of time among them, only cycles that need it are new.
  bool search(const std::function<Graph()>& build, const std::function<bool(Why)>& through) {
    if (now() >= deadline_) return false;
    const Graph graph = build();
    CycleSearch cycles(graph);
    for (const auto& component : cyclic_components(graph)) {
      const auto cycle = cycles.shortest(
          component,
          [&](const Arc& arc) {
            const Why why = dependencies_[arc.name].why;
            return with_order_ ? why >= Why::process : through(why);
          },
          deadline_);
      if (!cycle.empty()) report(cycle);
    }
    return true;
  }

  std::string name_of(const std::vector<Arc>& cycle) const {
    std::size_t wr = 0, rw = 0, process = 0, real_time = 0, adjacent = 0;
    for (std::size_t at = 0; at < cycle.size(); ++at) {
      const Why why = dependencies_[cycle[at].name].why;
      const Why next = dependencies_[cycle[(at + 1) % cycle.size()].name].why;
      wr += why == Why::wr;
      rw += why == Why::rw;
      process += why == Why::process;
      real_time += why == Why::real_time;
      adjacent += why == Why::rw && next == Why::rw;
    }
    std::string base = rw == 0 && wr == 0 ? "G0"
                       : rw == 0          ? "G1c"
                       : rw == 1          ? "G-single"
                       : adjacent == 0    ? "G-nonadjacent"
                                          : "G2-item";
    return base + (real_time > 0 ? "-realtime" : process > 0 ? "-process" : "");
  }

  void report(const std::vector<Arc>& cycle) {
    const std::string anomaly = name_of(cycle);
    auto& all = findings_.all();
    const auto same = std::find_if(
        all.begin(), all.end(), [&](const Finding& finding) { return finding.anomaly == anomaly; });
    if (same != all.end() && !reported_.insert(first_of(cycle)).second) return;
    Finding found = described(anomaly, cycle);
    if (same == all.end()) {
      reported_.insert(first_of(cycle));
      all.push_back(std::move(found));
    } else {
      found.found = same->found + 1;
      if (found.precedences.size() < same->precedences.size()) {
        *same = std::move(found);
      } else {
        same->found = found.found;
      }
    }
  }

  /// The same knot is met again in the next graph; its first transaction tells.
  std::pair<std::string, Place> first_of(const std::vector<Arc>& cycle) const {
    Place first = dependencies_[cycle.front().name].before;
    for (const auto& arc : cycle) first = std::min(first, dependencies_[arc.name].before);
    return {name_of(cycle), first};
  }

  Finding described(const std::string& anomaly, const std::vector<Arc>& cycle) const {
    Finding found;
    found.anomaly = anomaly;
    for (const auto& arc : cycle) {
      found.precedences.push_back(explained(index_, dependencies_[arc.name]));
      found.operations.push_back(found.precedences.back().before);
    }
    found.witness = "each of these must come before the next, and the last before the first";
    for (const std::size_t place : std::set(found.operations.begin(), found.operations.end()))
      found.witness += "\n" + index_.line(static_cast<Place>(place));
    for (const auto& precedence : found.precedences) found.witness += "\n  " + precedence.why;
    return found;
  }

  const ListIndex& index_;
  std::vector<Dependency> dependencies_;
  std::size_t data_;  // the first so many come from what was read and written
  Instant deadline_;
  Findings& findings_;
  bool with_order_ = false;
  std::set<std::pair<std::string, Place>> reported_;
};

}  // namespace

bool find_cycles(const ListIndex& index, const OrderCounted& order, Instant deadline,
                 Findings& findings) {
  std::vector<Dependency> all = data_dependencies(index);
  const std::size_t data = all.size();
  const auto append = [&all](const std::vector<Dependency>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  if (order.process) append(process_dependencies(index));
  if (order.real_time) append(real_time_dependencies(index));
  CycleFinder finder(index, std::move(all), data, deadline, findings);
  return finder.find(false) && (!(order.process || order.real_time) || finder.find(true));
}

}  // namespace lab::judge
