// The same for registers: damage that no order of the operations can explain.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "core/random.h"
#include "judge/linearizable.h"
#include "simulator.h"

namespace lab::judge {
namespace {

using History = std::vector<KeyOperation>;
using Kind = KeyOperation::Kind;

bool ok(const KeyOperation& operation) {
  return operation.outcome == Outcome::ok;
}
bool is_read(const KeyOperation& operation) {
  return ok(operation) && operation.kind == Kind::read;
}
/// Leaves a value of its own.
bool leaves(const KeyOperation& operation) {
  return operation.kind == Kind::write || (operation.kind == Kind::cas && operation.swapped);
}
bool returned_before(const KeyOperation& earlier, const KeyOperation& later) {
  return ok(earlier) && *earlier.returned < later.invoked;
}

KeyOperation* writer(History& history, const KeyOperation& read) {
  for (auto& it : history) {
    if (leaves(it) && it.key == read.key && it.value == read.value) return &it;
  }
  return nullptr;
}

using Damage = std::function<bool(History&, Random&)>;

Damage to_some_read(std::function<bool(History&, KeyOperation&)> damage) {
  return [damage = std::move(damage)](History& history, Random& random) {
    std::vector<KeyOperation*> reads;
    for (auto& it : history) {
      if (is_read(it)) reads.push_back(&it);
    }
    std::shuffle(reads.begin(), reads.end(), random);
    return std::any_of(reads.begin(), reads.end(),
                       [&](KeyOperation* read) { return damage(history, *read); });
  };
}

/// A value that was overwritten by something acknowledged before the read began.
bool see_an_overwritten_value(History& history, KeyOperation& read) {
  for (const auto& old : history) {
    for (const auto& newer : history) {
      if (old.key != read.key || newer.key != read.key || !ok(old) || !leaves(old)) continue;
      if (newer.kind != Kind::write || !returned_before(old, newer) ||
          !returned_before(newer, read)) {
        continue;
      }
      read.value = old.value;
      return true;
    }
  }
  return false;
}

bool see_the_future(History& history, KeyOperation& read) {
  for (const auto& later : history) {
    if (!leaves(later) || later.key != read.key || !returned_before(read, later)) continue;
    read.value = later.value;
    return true;
  }
  return false;
}

bool see_what_nobody_wrote(History&, KeyOperation& read) {
  read.value = "nobody's";
  return true;
}

bool see_what_failed(History& history, KeyOperation& read) {
  for (const auto& it : history) {
    if (it.outcome != Outcome::fail || it.kind != Kind::write || it.key != read.key) continue;
    read.value = it.value;
    return true;
  }
  return false;
}

/// There are no deletes where there is one key only.
bool see_nothing_after_a_write(History& history, KeyOperation& read) {
  for (const auto& it : history) {
    if (it.kind != Kind::write || !returned_before(it, read)) continue;
    read.value.reset();
    return true;
  }
  return false;
}

bool call_what_was_seen_a_failure(History& history, KeyOperation& read) {
  KeyOperation* source = writer(history, read);
  if (!source) return false;
  source->outcome = Outcome::fail;
  if (!source->returned) source->returned = source->invoked;
  return true;
}

bool acknowledge_before_it_was_sent(History& history, KeyOperation& read) {
  KeyOperation* source = writer(history, read);
  if (!source) return false;
  source->invoked = *read.returned + 1;
  if (source->returned) source->returned = source->invoked;
  return true;
}

bool leave_the_write_out(History& history, KeyOperation& read) {
  KeyOperation* source = writer(history, read);
  if (!source) return false;
  history.erase(history.begin() + (source - history.data()));
  return true;
}

bool exchange_two_answers(History& history, KeyOperation& read) {
  for (auto& later : history) {
    if (!is_read(later) || later.key != read.key || !returned_before(read, later)) continue;
    const KeyOperation* source = writer(history, read);
    if (!later.value || later.value == read.value || !source || !returned_before(*source, read))
      continue;
    std::swap(read.value, later.value);
    return true;
  }
  return false;
}

/// Behind all others.
KeyOperation after(const History& history, std::int64_t from, std::int64_t to, Kind kind,
                   KeyOperation::Value value, KeyOperation::Value expected = {}) {
  std::int64_t end = 0;
  for (const auto& it : history) end = std::max({end, it.invoked, it.returned.value_or(0)});
  KeyOperation made;
  made.process = 1'000 + from;
  made.key = history.front().key;
  made.invoked = end + from;
  made.returned = end + to;
  made.kind = kind;
  made.value = std::move(value);
  made.expected = std::move(expected);
  return made;
}

Damage add(std::function<History(const History&)> made) {
  return [made = std::move(made)](History& history, Random&) {
    const History more = made(history);
    history.insert(history.end(), more.begin(), more.end());
    return true;
  };
}

History two_winners(const History& history) {
  return {after(history, 1, 2, Kind::write, "a"), after(history, 3, 9, Kind::cas, "b", "a"),
          after(history, 4, 9, Kind::cas, "c", "a")};
}
History cas_without_effect(const History& history) {
  return {after(history, 1, 2, Kind::write, "a"), after(history, 3, 4, Kind::cas, "b", "a"),
          after(history, 5, 6, Kind::read, "a")};
}
History cas_of_a_value_that_is_not_there(const History& history) {
  return {after(history, 1, 2, Kind::write, "a"), after(history, 3, 4, Kind::cas, "c", "b")};
}
/// In a history where nothing is open: an open write might take effect just then.
bool cas_refused_for_no_reason(History& history, Random& random) {
  history = simulated_registers({.seed = random(), .lost_answers = 0});
  History made{after(history, 1, 2, Kind::write, "a"), after(history, 3, 4, Kind::cas, "c", "a")};
  made.back().swapped = false;
  history.insert(history.end(), made.begin(), made.end());
  return true;
}
History delete_without_effect(const History& history) {
  return {after(history, 1, 2, Kind::write, "a"), after(history, 3, 4, Kind::remove, {}),
          after(history, 5, 6, Kind::read, "a")};
}
History flicker(const History& history) {  // old, new, old again while one write is under way
  return {after(history, 1, 2, Kind::write, "a"), after(history, 3, 20, Kind::write, "b"),
          after(history, 4, 5, Kind::read, "b"), after(history, 6, 7, Kind::read, "a")};
}
History a_write_that_happens_twice(const History& history) {
  History made{after(history, 1, 2, Kind::write, "a"), after(history, 3, 4, Kind::read, "a"),
               after(history, 5, 6, Kind::write, "b"), after(history, 7, 8, Kind::read, "a")};
  made.front().outcome = Outcome::info;
  made.front().returned.reset();
  return made;
}

struct Mutant {
  const char* name;
  Damage damage;
};

const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> all{
      {"a read sees an overwritten value", to_some_read(see_an_overwritten_value)},
      {"a read sees the future", to_some_read(see_the_future)},
      {"a read sees what nobody wrote", to_some_read(see_what_nobody_wrote)},
      {"a read sees a failed write", to_some_read(see_what_failed)},
      {"a read after a write sees nothing", to_some_read(see_nothing_after_a_write)},
      {"what was read is said to have failed", to_some_read(call_what_was_seen_a_failure)},
      {"a write is acknowledged before it was sent", to_some_read(acknowledge_before_it_was_sent)},
      {"the write of a value that was read is missing", to_some_read(leave_the_write_out)},
      {"two reads exchange their answers", to_some_read(exchange_two_answers)},
      {"two cas find the same value", add(two_winners)},
      {"a cas has no effect", add(cas_without_effect)},
      {"a cas replaces what is not there", add(cas_of_a_value_that_is_not_there)},
      {"a cas is refused though the value is there", cas_refused_for_no_reason},
      {"a delete has no effect", add(delete_without_effect)},
      {"readers see new, then old", add(flicker)},
      {"an unacknowledged write happens twice", add(a_write_that_happens_twice)},
  };
  return all;
}

class RegisterMutants : public testing::TestWithParam<Mutant> {};

TEST_P(RegisterMutants, IsRejected) {
  int applied = 0;
  for (std::uint64_t seed = 1; seed <= rounds(100U); ++seed) {
    History history = simulated_registers({.seed = seed});
    Random random(seed);
    if (!GetParam().damage(history, random)) continue;
    ++applied;
    EXPECT_EQ(check_linearizable(history, {.shrink_time = 0s}).verdict, Verdict::violated)
        << "seed " << seed;
  }
  EXPECT_GE(applied, rounds(50)) << "hardly any history had a place for it";
}

INSTANTIATE_TEST_SUITE_P(Every, RegisterMutants, testing::ValuesIn(mutants()),
                         [](const auto& tested) {
                           std::string text = tested.param.name;
                           std::replace_if(
                               text.begin(), text.end(),
                               [](char letter) { return !std::isalnum(letter); }, '_');
                           return text;
                         });

}  // namespace
}  // namespace lab::judge
