#include "judge/list_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <unordered_set>

namespace lab::judge {

bool is_prefix(const List& list, const List& longer) {
  return list.size() <= longer.size() && std::equal(list.begin(), list.end(), longer.begin());
}

void Findings::add(std::string_view anomaly, std::string witness,
                   std::vector<std::size_t> operations) {
  const auto same = std::find_if(findings_.begin(), findings_.end(), [&](const Finding& finding) {
    return finding.anomaly == anomaly;
  });
  if (same != findings_.end()) {
    ++same->found;
    return;
  }
  Finding finding;
  finding.anomaly = anomaly;
  finding.witness = std::move(witness);
  finding.operations = std::move(operations);
  findings_.push_back(std::move(finding));
}

Result<ListIndex> ListIndex::of(std::span<const Transaction> history) {
  ListIndex index(history);
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  index.keys_of_.resize(history.size());
  for (Place place = 0; place < history.size(); ++place) {
    for (const auto& operation : history[place].operations) {
      const auto [number, fresh] =
          numbers.try_emplace(operation.key, static_cast<std::uint32_t>(index.keys_.size()));
      if (fresh) index.keys_.push_back({operation.key, {}, {}, nullptr});
      index.keys_of_[place].push_back(number->second);
    }
    if (auto added = index.add_operations(place); !added) return added.error();
  }
  index.mark_committed();
  return index;
}

Result<void> ListIndex::add_operations(Place transaction) {
  const auto& operations = history_[transaction].operations;
  for (std::uint32_t at = 0; at < operations.size(); ++at) {
    const std::uint32_t key = keys_of_[transaction][at];
    if (operations[at].kind == ListOperation::Kind::append) {
      if (auto added = add_append(key, transaction, at); !added) return added;
    } else if (operations[at].list) {
      keys_[key].reads.push_back({transaction, at});
    }
  }
  return {};
}

Result<void> ListIndex::add_append(std::uint32_t key, Place transaction, std::uint32_t operation) {
  const auto& operations = history_[transaction].operations;
  const Element element = operations[operation].element;
  auto& appends = keys_[key].appends;
  const auto [at, fresh] = appends.try_emplace(element, AppendAt{transaction, operation});
  if (!fresh) {
    return Error{
        ErrorCode::invalid, Happened::no,
        fmt::format("{} is appended to {} by {} and again by {}; an element may be "
                    "appended to a key only once",
                    element, keys_[key].name, label(at->second.transaction), label(transaction))};
  }
  for (std::uint32_t earlier = operation; earlier-- > 0;) {
    if (keys_of_[transaction][earlier] != key ||
        operations[earlier].kind != ListOperation::Kind::append) {
      continue;
    }
    appends.at(operations[earlier].element).last = false;
    appends.at(element).previous = operations[earlier].element;
    break;
  }
  return {};
}

const AppendAt* ListIndex::append_of(const ListKey& key, Element element) const {
  const auto found = key.appends.find(element);
  return found == key.appends.end() ? nullptr : &found->second;
}

/// Committed is what said so, and what somebody committed saw.
void ListIndex::mark_committed() {
  committed_.assign(history_.size(), false);
  std::vector<Place> fresh;
  for (Place place = 0; place < history_.size(); ++place) {
    if (history_[place].outcome != Outcome::ok) continue;
    committed_[place] = true;
    fresh.push_back(place);
  }
  std::vector<const List*> longest(keys_.size());  // whose elements have all been looked at
  while (!fresh.empty()) {
    const Place place = fresh.back();
    fresh.pop_back();
    for (std::size_t at = 0; at < history_[place].operations.size(); ++at) {
      const auto& list = history_[place].operations[at].list;
      if (!list) continue;
      const std::uint32_t key = keys_of_[place][at];
      if (longest[key] && is_prefix(*list, *longest[key])) continue;
      mark_seen(keys_[key], *list, fresh);
      if (!longest[key] || longest[key]->size() < list->size()) longest[key] = &*list;
    }
  }
  for (auto& key : keys_) {
    std::erase_if(key.reads, [&](const ReadAt& read) { return !committed_[read.transaction]; });
    std::stable_sort(key.reads.begin(), key.reads.end(), [&](const ReadAt& a, const ReadAt& b) {
      return list(a).size() > list(b).size();
    });
  }
}

void ListIndex::mark_seen(const ListKey& key, const List& list, std::vector<Place>& fresh) {
  for (const Element element : list) {
    const AppendAt* append = append_of(key, element);
    if (!append || committed_[append->transaction]) continue;
    if (history_[append->transaction].outcome != Outcome::info) continue;
    committed_[append->transaction] = true;
    fresh.push_back(append->transaction);
  }
}

void ListIndex::examine(Findings& findings) {
  for (auto& key : keys_) examine_key(key, findings);
  for (Place place = 0; place < history_.size(); ++place) {
    if (committed_[place]) examine_inside(place, findings);
  }
}

void ListIndex::examine_key(ListKey& key, Findings& findings) {
  const ReadAt* longest = nullptr;
  for (const auto& read : key.reads) {
    const List& seen = list(read);
    if (!key.order || !is_prefix(seen, *key.order)) {
      const bool clean = examine_elements(key, read, findings);
      if (clean && key.order) {
        key.consistent = false;
        findings.add("incompatible-order",
                     fmt::format("{} was read as {} and as {}, and neither grows into the other\n"
                                 "{}\n{}",
                                 key.name, text_of(*key.order), text_of(seen),
                                 line(longest->transaction), line(read.transaction)),
                     {longest->transaction, read.transaction});
      } else if (clean) {
        key.order = &seen;
        longest = &read;
      }
    }
    examine_end(key, read, findings);
  }
  find_unread(key);
}

void ListIndex::find_unread(ListKey& key) const {
  std::unordered_set<Element> seen;
  for (const auto& read : key.reads) {
    const List& shown = list(read);
    if (&shown == key.order || !key.order || !is_prefix(shown, *key.order))
      seen.insert(shown.begin(), shown.end());
  }
  for (const auto& [element, append] : key.appends) {
    if (committed_[append.transaction] && !seen.contains(element)) key.unread.push_back(element);
  }
  std::sort(key.unread.begin(), key.unread.end(), [&key](Element a, Element b) {
    const AppendAt& first = key.appends.at(a);
    const AppendAt& second = key.appends.at(b);
    return std::tie(first.transaction, first.operation) <
           std::tie(second.transaction, second.operation);
  });
}

/// True when every element is somebody's, none is a failed transaction's, none stands there twice.
bool ListIndex::examine_elements(const ListKey& key, const ReadAt& read, Findings& findings) const {
  bool clean = true;
  const auto blame = [&](std::string_view anomaly, const std::string& what, Place other) {
    clean = false;
    std::vector<std::size_t> both{read.transaction};
    std::string lines = "\n" + line(read.transaction);
    if (other != read.transaction) {
      both.push_back(other);
      lines += "\n" + line(other);
    }
    findings.add(anomaly, label(read.transaction) + " " + what + lines, std::move(both));
  };
  std::unordered_set<Element> seen;
  std::optional<Element> aborted;
  for (const Element element : list(read)) {
    const AppendAt* append = append_of(key, element);
    if (!seen.insert(element).second)
      blame("duplicate-element", fmt::format("read {} in {} twice", element, key.name),
            append ? append->transaction : read.transaction);
    if (!append) {
      blame("garbage-read", fmt::format("read {} in {}, which nobody appended", element, key.name),
            read.transaction);
    } else if (history_[append->transaction].outcome == Outcome::fail) {
      blame("G1a",
            fmt::format("read {} in {}, which {} appended, and {} failed", element, key.name,
                        label(append->transaction), label(append->transaction)),
            append->transaction);
      aborted = element;
    } else if (append->previous && !seen.contains(*append->previous)) {
      blame("incompatible-order",
            fmt::format("read {} in {} without {} before it, but {} appended {} first", element,
                        key.name, *append->previous, label(append->transaction), *append->previous),
            append->transaction);
    } else if (aborted) {
      blame("dirty-update",
            fmt::format("read {} in {} behind {}: {} built on what a failed transaction left",
                        element, key.name, *aborted, label(append->transaction)),
            append->transaction);
    }
  }
  return clean;
}

/// A list that ends in an append which its transaction appended to once more: a state between.
void ListIndex::examine_end(const ListKey& key, const ReadAt& read, Findings& findings) const {
  const List& seen = list(read);
  const AppendAt* append = seen.empty() ? nullptr : append_of(key, seen.back());
  if (!append || append->last || append->transaction == read.transaction) return;
  findings.add(
      "G1b",
      fmt::format("{} read {} as {}, a state between two appends of {}\n{}\n{}",
                  label(read.transaction), key.name, text_of(seen), label(append->transaction),
                  line(read.transaction), line(append->transaction)),
      {read.transaction, append->transaction});
}

/// A transaction's reads against what it read and appended before.
void ListIndex::examine_inside(Place transaction, Findings& findings) const {
  struct Known {
    std::uint32_t key;
    bool whole;  // the list is known, not only how it ends
    List list;
  };
  std::vector<Known> known;
  const auto& operations = history_[transaction].operations;
  if (operations.size() < 2) return;
  for (std::size_t at = 0; at < operations.size(); ++at) {
    const std::uint32_t key = keys_of_[transaction][at];
    auto mine = std::find_if(known.begin(), known.end(),
                             [key](const Known& entry) { return entry.key == key; });
    if (operations[at].kind == ListOperation::Kind::append) {
      if (mine == known.end()) mine = known.insert(known.end(), {key, false, {}});
      mine->list.push_back(operations[at].element);
      continue;
    }
    if (!operations[at].list) continue;
    const List& seen = *operations[at].list;
    const bool fits =
        mine == known.end() ||
        (mine->whole ? seen == mine->list
                     : seen.size() >= mine->list.size() &&
                           std::equal(mine->list.rbegin(), mine->list.rend(), seen.rbegin()));
    const bool own_future = appends_later(transaction, at, seen);
    if (!fits || own_future) {
      findings.add("internal",
                   fmt::format("{} read {} as {}, which does not fit what it did itself{}\n{}",
                               label(transaction), keys_[key].name, text_of(seen),
                               own_future ? " (it appends that later)" : "", line(transaction)),
                   {transaction});
    }
    if (mine == known.end()) mine = known.insert(known.end(), {key, true, {}});
    mine->whole = true;
    mine->list = seen;
  }
}

/// The list shows what the transaction itself appends only after this operation.
bool ListIndex::appends_later(Place transaction, std::size_t operation, const List& seen) const {
  const auto& operations = history_[transaction].operations;
  for (std::size_t later = operation + 1; later < operations.size(); ++later) {
    if (operations[later].kind == ListOperation::Kind::append &&
        keys_of_[transaction][later] == keys_of_[transaction][operation] &&
        std::find(seen.begin(), seen.end(), operations[later].element) != seen.end()) {
      return true;
    }
  }
  return false;
}

std::string ListIndex::label(Place transaction) {
  return fmt::format("T{}", transaction + 1);
}

std::string ListIndex::line(Place transaction) const {
  const Transaction& it = history_[transaction];
  const char* const outcome = it.outcome == Outcome::ok     ? ""
                              : it.outcome == Outcome::fail ? ", failed"
                                                            : ", outcome unknown";
  return fmt::format("  {} (process {}, {} to {}{}): {}", label(transaction), it.process,
                     it.invoked, it.returned ? std::to_string(*it.returned) : "?", outcome,
                     text_of(it));
}

}  // namespace lab::judge
