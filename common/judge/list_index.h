#pragma once
// A history of transactions over lists, made searchable: who appended what, which transactions
// count as committed, in which order each list grew.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "judge/history.h"
#include "judge/judgement.h"

namespace lab::judge {

using Place = std::uint32_t;  // of a transaction in the history

struct AppendAt {
  Place transaction = 0;
  std::uint32_t operation = 0;
  bool last = true;                   // of its transaction to this key
  std::optional<Element> previous{};  // what the same transaction appended to this key before
};

struct ReadAt {
  Place transaction = 0;
  std::uint32_t operation = 0;
};

struct ListKey {
  std::string_view name;
  std::unordered_map<Element, AppendAt> appends;
  std::vector<ReadAt> reads;  // with a result, of committed transactions; longest first
  /// The longest list that was read and in which every element is somebody's, not a failed
  /// transaction's, and stands there once: the order in which the list grew.
  const List* order = nullptr;
  bool consistent = true;       // no two reads contradict each other
  std::vector<Element> unread;  // committed appends that no read shows, in the history's order
};

/// Kinds of anomaly with an example each.
class Findings {
 public:
  /// Counts one more of this kind; the first one is kept as the example.
  void add(std::string_view anomaly, std::string witness, std::vector<std::size_t> operations);
  std::vector<Finding>& all() { return findings_; }

 private:
  std::vector<Finding> findings_;
};

/// The beginning of `longer`, or all of it.
bool is_prefix(const List& list, const List& longer);

class ListIndex {
 public:
  /// `invalid` when an element is appended to a key twice. Refers to the history.
  static Result<ListIndex> of(std::span<const Transaction> history);

  std::span<const Transaction> history() const { return history_; }
  const std::vector<ListKey>& keys() const { return keys_; }
  const std::vector<std::uint32_t>& keys_of(Place transaction) const {
    return keys_of_[transaction];
  }

  /// ok, or info and somebody who counts as committed read what it appended.
  bool committed(Place transaction) const { return committed_[transaction]; }

  const List& list(const ReadAt& read) const {
    return *history_[read.transaction].operations[read.operation].list;
  }
  /// Who appended it, or nothing.
  const AppendAt* append_of(const ListKey& key, Element element) const;

  /// Reads of what nobody appended, of what failed or was not final, lists that do not fit
  /// together; transactions that do not see what they did themselves. Sets the keys' order,
  /// consistent and unread.
  void examine(Findings& findings);

  /// "T3": the third transaction of the history.
  static std::string label(Place transaction);
  /// "  T3 (process 1, 12 to 15): append x 1, read y → [1]"
  std::string line(Place transaction) const;

 private:
  explicit ListIndex(std::span<const Transaction> history) : history_(history) {}
  Result<void> add_operations(Place transaction);
  Result<void> add_append(std::uint32_t key, Place transaction, std::uint32_t operation);
  void mark_committed();
  void mark_seen(const ListKey& key, const List& list, std::vector<Place>& fresh);
  void examine_key(ListKey& key, Findings& findings);
  void find_unread(ListKey& key) const;
  bool examine_elements(const ListKey& key, const ReadAt& read, Findings& findings) const;
  void examine_end(const ListKey& key, const ReadAt& read, Findings& findings) const;
  void examine_inside(Place transaction, Findings& findings) const;
  bool appends_later(Place transaction, std::size_t operation, const List& seen) const;

  std::span<const Transaction> history_;
  std::vector<ListKey> keys_;
  std::vector<std::vector<std::uint32_t>> keys_of_;  // of each operation of each transaction
  std::vector<bool> committed_;
};

}  // namespace lab::judge
