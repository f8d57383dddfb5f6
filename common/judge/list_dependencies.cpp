#include "judge/list_dependencies.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lab::judge {
namespace {

// Pairs of a reader and an append that nobody read, for one key. Beyond it only the first appends
// are paired: the verdict stays sound, and a history like that reads too little to say more.
constexpr std::size_t kPairs = 1'000'000;

/// The dependencies that one key gives.
class KeyDependencies {
 public:
  KeyDependencies(const ListIndex& index, std::uint32_t key, std::vector<Dependency>& out)
      : index_(index), key_(index.keys()[key]), number_(key), out_(out) {}

  void collect() {
    const bool ordered = key_.order && key_.consistent;
    if (ordered) {
      choose_unread();
      writes();
    }
    for (const auto& read : key_.reads) {
      const Place reader = read.transaction;
      const List& list = index_.list(read);
      read_from(reader, list);
      if (ordered && !ends_in_own(reader, list) && is_prefix(list, *key_.order))
        overwritten(reader, list);
    }
  }

 private:
  Place appender(Element element) const { return key_.appends.at(element).transaction; }

  bool ends_in_own(Place reader, const List& list) const {
    const AppendAt* last = list.empty() ? nullptr : index_.append_of(key_, list.back());
    return last && last->transaction == reader;
  }

  void add(Place before, Place after, Why why, std::optional<Element> first, Element second) {
    if (before != after) out_.push_back({before, after, why, number_, first, second});
  }

  /// One append of each transaction is enough.
  void choose_unread() {
    const std::size_t most = kPairs / std::max<std::size_t>(key_.reads.size(), 1) + 1;
    for (const Element element : key_.unread) {
      if (unread_.size() == most) break;
      if (unread_.empty() || appender(unread_.back()) != appender(element))
        unread_.push_back(element);
    }
  }

  void writes() {
    const List& order = *key_.order;
    for (std::size_t at = 1; at < order.size(); ++at)
      add(appender(order[at - 1]), appender(order[at]), Why::ww, order[at - 1], order[at]);
    if (order.empty()) return;
    for (const Element element : unread_)
      add(appender(order.back()), appender(element), Why::ww, order.back(), element);
  }

  void read_from(Place reader, const List& list) {
    for (std::size_t at = list.size(); at-- > 0;) {
      const AppendAt* append = index_.append_of(key_, list[at]);
      if (append && append->transaction == reader) continue;
      if (append && index_.committed(append->transaction))
        add(append->transaction, reader, Why::wr, list[at], list[at]);
      return;
    }
  }

  void overwritten(Place reader, const List& list) {
    const List& order = *key_.order;
    const auto last = list.empty() ? std::nullopt : std::optional(list.back());
    if (list.size() < order.size()) {
      const Element next = order[list.size()];
      add(reader, appender(next), Why::rw, last, next);
      return;
    }
    for (const Element element : unread_) add(reader, appender(element), Why::rw, last, element);
  }

  const ListIndex& index_;
  const ListKey& key_;
  std::uint32_t number_;
  std::vector<Dependency>& out_;
  std::vector<Element> unread_;
};

/// Committed transactions, ordered by when they were invoked.
std::vector<Place> by_invocation(const ListIndex& index) {
  std::vector<Place> places;
  for (Place place = 0; place < index.history().size(); ++place) {
    if (index.committed(place)) places.push_back(place);
  }
  std::stable_sort(places.begin(), places.end(), [&](Place a, Place b) {
    return index.history()[a].invoked < index.history()[b].invoked;
  });
  return places;
}

}  // namespace

std::string_view name(Why why) {
  switch (why) {
    case Why::ww: return "ww";
    case Why::wr: return "wr";
    case Why::rw: return "rw";
    case Why::process: return "process";
    case Why::real_time: return "real time";
  }
  return "";
}

std::vector<Dependency> data_dependencies(const ListIndex& index) {
  std::vector<Dependency> found;
  for (std::uint32_t key = 0; key < index.keys().size(); ++key)
    KeyDependencies(index, key, found).collect();
  return found;
}

std::vector<Dependency> process_dependencies(const ListIndex& index) {
  std::vector<Dependency> found;
  std::map<std::int64_t, Place> last;
  for (const Place place : by_invocation(index)) {
    const Transaction& transaction = index.history()[place];
    if (const auto before = last.find(transaction.process); before != last.end())
      found.push_back({before->second, place, Why::process, 0, {}, 0});
    if (transaction.outcome == Outcome::ok) last[transaction.process] = place;
  }
  return found;
}

std::vector<Dependency> real_time_dependencies(const ListIndex& index) {
  const auto history = index.history();
  const std::vector<Place> invoked = by_invocation(index);
  std::vector<Place> returned;
  for (const Place place : invoked) {
    if (history[place].outcome == Outcome::ok && history[place].returned) returned.push_back(place);
  }
  std::stable_sort(returned.begin(), returned.end(),
                   [&](Place a, Place b) { return *history[a].returned < *history[b].returned; });
  std::vector<Dependency> found;
  std::vector<Place> frontier;  // had returned, and no other in here came after them
  auto next = returned.begin();
  for (const Place place : invoked) {
    for (; next != returned.end() && *history[*next].returned < history[place].invoked; ++next) {
      std::erase_if(frontier, [&](Place earlier) {
        return *history[earlier].returned < history[*next].invoked;
      });
      frontier.push_back(*next);
    }
    for (const Place before : frontier) found.push_back({before, place, Why::real_time, 0, {}, 0});
  }
  return found;
}

Precedence explained(const ListIndex& index, const Dependency& dependency) {
  const auto& [before, after, why, key, first, second] = dependency;
  const std::string a = ListIndex::label(before), b = ListIndex::label(after);
  const std::string list = why < Why::process ? std::string(index.keys()[key].name) : "";
  const std::string label = fmt::format("{}{}{}", name(why), list.empty() ? "" : " ", list);
  const std::string end = first ? std::to_string(*first) : "";
  std::string text = fmt::format("{} before {}: ", a, b);
  switch (why) {
    case Why::ww:
      text +=
          fmt::format("{} appended {} to {} behind {}, which {} appended", b, second, list, end, a);
      break;
    case Why::wr:
      text += fmt::format("{} read {} in {}, which {} appended", b, end, list, a);
      break;
    case Why::rw:
      text += fmt::format("{} read {} {} without {}, which {} appended", a, list,
                          first ? "up to " + end : "empty,", second, b);
      break;
    case Why::process:
      text += fmt::format("process {} did one after the other", index.history()[before].process);
      break;
    case Why::real_time:
      text += fmt::format("{} had returned at {}, {} was invoked at {}", a,
                          *index.history()[before].returned, b, index.history()[after].invoked);
      break;
  }
  return {before, after, label, text + fmt::format(" ({})", name(why))};
}

}  // namespace lab::judge
