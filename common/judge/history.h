#pragma once
// What clients saw, in the two forms that can be judged: transactions over lists, and single
// operations on registers. Times come from one clock; any unit will do, only their order counts.
// docs/formats/history.md is the same thing as text.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lab::judge {

/// How it ended for its client. `ok`: it happened. `fail`: it certainly did not. `info`: it may
/// have, at any time after it was invoked.
enum class Outcome : std::uint8_t { ok, fail, info };

using Element = std::int64_t;
using List = std::vector<Element>;

/// Appends an element to the list of a key, or reads the list.
struct ListOperation {
  enum class Kind : std::uint8_t { append, read };

  Kind kind = Kind::append;
  std::string key;
  Element element = 0;         // of an append; no other append to this key has it
  std::optional<List> list{};  // of a read: what was seen, or nothing when that is not known

  static ListOperation append(std::string key, Element element) {
    return {Kind::append, std::move(key), element, {}};
  }
  static ListOperation read(std::string key, std::optional<List> list) {
    return {Kind::read, std::move(key), 0, std::move(list)};
  }
};

/// A process does one thing at a time.
struct Transaction {
  std::int64_t process = 0;
  std::int64_t invoked = 0;
  std::optional<std::int64_t> returned{};  // nothing: never came back
  Outcome outcome = Outcome::ok;
  std::vector<ListOperation> operations;  // in the order in which they were done
};

/// One operation on a register. A value is any text; a register without one is absent, and so it
/// begins.
struct KeyOperation {
  enum class Kind : std::uint8_t { read, write, cas, remove };
  using Value = std::optional<std::string>;  // nothing: absent

  std::int64_t process = 0;
  std::int64_t invoked = 0;
  std::optional<std::int64_t> returned{};  // nothing: never came back
  Outcome outcome = Outcome::ok;
  Kind kind = Kind::read;
  std::string key;      // "" where there is one register only
  Value value{};        // what an ok read saw; what a write or a cas leaves
  Value expected{};     // what a cas replaces
  bool swapped = true;  // an ok cas found what it expected; false: it found something else
};

/// "append x 3, read y → [1, 2]". Of a long list only the end is shown.
std::string text_of(const Transaction& transaction);
/// "x: cas 1 → 2", "x: read absent", "write 7".
std::string text_of(const KeyOperation& operation);
std::string text_of(const List& list);

}  // namespace lab::judge
