// Histories that are right are damaged in every way we could think of; each must be rejected.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "core/random.h"
#include "judge/list_append.h"
#include "simulator.h"

namespace lab::judge {
namespace {

using History = std::vector<Transaction>;

/// A read with a result, and what surrounds it.
struct Read {
  Transaction* transaction;
  ListOperation* operation;
  List& list() const { return *operation->list; }
};

bool is_read(const ListOperation& operation) {
  return operation.kind == ListOperation::Kind::read && operation.list.has_value();
}

/// The reads of ok transactions, in an order that the seed gives. The last transaction, which
/// reads everything, is left alone: it is what the others are held against.
std::vector<Read> reads_of(History& history, Random& random) {
  std::vector<Read> reads;
  for (std::size_t at = 0; at + 1 < history.size(); ++at) {
    if (history[at].outcome != Outcome::ok) continue;
    for (auto& operation : history[at].operations) {
      if (is_read(operation)) reads.push_back({&history[at], &operation});
    }
  }
  std::shuffle(reads.begin(), reads.end(), random);
  return reads;
}

Transaction* appender(History& history, const std::string& key, Element element) {
  for (auto& it : history) {
    for (const auto& operation : it.operations) {
      if (operation.kind == ListOperation::Kind::append && operation.key == key &&
          operation.element == element) {
        return &it;
      }
    }
  }
  return nullptr;
}

const List& final_list(const History& history, const std::string& key) {
  for (const auto& operation : history.back().operations) {
    if (operation.key == key) return *operation.list;
  }
  throw std::runtime_error("the last transaction does not read " + key);
}

/// Nothing of the transaction's own touches the key beside this read.
bool alone(const Read& read) {
  return std::count_if(read.transaction->operations.begin(), read.transaction->operations.end(),
                       [&](const ListOperation& it) { return it.key == read.operation->key; }) == 1;
}

using Damage = std::function<bool(History&, Random&)>;  // false: this history has no place for it

/// Applies `damage` to the first read for which it works.
Damage to_some_read(std::function<bool(History&, const Read&)> damage) {
  return [damage = std::move(damage)](History& history, Random& random) {
    for (const auto& read : reads_of(history, random)) {
      if (damage(history, read)) return true;
    }
    return false;
  };
}

bool returned_before(const Transaction* earlier, const Transaction* later) {
  return earlier && earlier->outcome == Outcome::ok && *earlier->returned < later->invoked;
}

bool drop_inner_element(History&, const Read& read) {
  if (read.list().size() < 2) return false;
  read.list().erase(read.list().end() - 2);
  return true;
}

bool swap_elements(History&, const Read& read) {
  if (read.list().size() < 2) return false;
  std::swap(read.list()[0], read.list()[1]);
  return true;
}

bool miss_an_acknowledged_append(History& history, const Read& read) {
  if (read.list().empty()) return false;
  if (!returned_before(appender(history, read.operation->key, read.list().back()),
                       read.transaction)) {
    return false;
  }
  read.list().pop_back();
  return true;
}

bool read_empty(History& history, const Read& read) {
  if (read.list().empty()) return false;
  if (!returned_before(appender(history, read.operation->key, read.list().front()),
                       read.transaction)) {
    return false;
  }
  read.list().clear();
  return true;
}

bool miss_its_own_append(History&, const Read& read) {
  for (auto& operation : read.transaction->operations) {
    if (&operation == read.operation) return false;
    if (operation.kind != ListOperation::Kind::append || operation.key != read.operation->key)
      continue;
    std::erase(read.list(), operation.element);
    return true;
  }
  return false;
}

bool see_its_own_append_too_early(History&, const Read& read) {
  bool passed = false;
  for (const auto& operation : read.transaction->operations) {
    passed |= &operation == read.operation;
    if (!passed || operation.kind != ListOperation::Kind::append ||
        operation.key != read.operation->key) {
      continue;
    }
    read.list().push_back(operation.element);
    return true;
  }
  return false;
}

bool answer_a_second_read_differently(History&, const Read& read) {
  if (read.list().empty() || !alone(read)) return false;
  List shorter = read.list();
  shorter.pop_back();
  const std::string key = read.operation->key;
  read.transaction->operations.push_back(ListOperation::read(key, shorter));
  return true;
}

bool double_an_element(History&, const Read& read) {
  if (read.list().empty()) return false;
  read.list().push_back(read.list().back());
  return true;
}

bool make_an_element_up(History&, const Read& read) {
  read.list().push_back(1'000'000);
  return true;
}

bool take_an_element_of_another_key(History& history, const Read& read) {
  const std::string other = read.operation->key == "k0" ? "k1" : "k0";
  const List& list = final_list(history, other);
  if (list.empty()) return false;
  read.list().push_back(list.front());
  return true;
}

bool see_the_future(History& history, const Read& read) {
  if (!alone(read)) return false;
  const List& all = final_list(history, read.operation->key);
  for (std::size_t size = read.list().size() + 1; size <= all.size(); ++size) {
    const Transaction* later = appender(history, read.operation->key, all[size - 1]);
    if (!later || later->invoked <= *read.transaction->returned) continue;
    read.list().assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
    return true;
  }
  return false;
}

bool acknowledge_before_it_was_sent(History& history, const Read& read) {
  if (read.list().empty()) return false;
  Transaction* source = appender(history, read.operation->key, read.list().back());
  if (!source || source == read.transaction) return false;
  source->invoked = *read.transaction->returned + 1;
  source->returned = source->invoked;
  return true;
}

bool stop_between_two_appends(History& history, const Read& read) {
  if (!alone(read)) return false;
  List& list = read.list();
  for (std::size_t at = 0; at + 1 < list.size(); ++at) {
    const Transaction* source = appender(history, read.operation->key, list[at]);
    if (source != appender(history, read.operation->key, list[at + 1])) continue;
    list.resize(at + 1);
    return true;
  }
  return false;
}

bool call_what_was_seen_a_failure(History& history, const Read& read) {
  if (read.list().empty()) return false;
  Transaction* source = appender(history, read.operation->key, read.list().back());
  if (!source || source == read.transaction) return false;
  source->outcome = Outcome::fail;
  if (!source->returned) source->returned = source->invoked;
  return true;
}

/// The first ok transaction with an append, if it satisfies the condition.
bool forget_an_append_everywhere(History& history, Random&) {
  for (const auto& it : history) {
    if (it.outcome != Outcome::ok) continue;
    for (const auto& append : it.operations) {
      if (append.kind != ListOperation::Kind::append) continue;
      for (auto& other : history) {
        for (auto& operation : other.operations) {
          if (is_read(operation) && operation.key == append.key)
            std::erase(*operation.list, append.element);
        }
      }
      return true;
    }
  }
  return false;
}

bool call_a_failure_a_success(History& history, Random&) {
  for (auto& it : history) {
    const bool appends = std::any_of(
        it.operations.begin(), it.operations.end(),
        [](const ListOperation& one) { return one.kind == ListOperation::Kind::append; });
    if (it.outcome != Outcome::fail || !appends) continue;
    it.outcome = Outcome::ok;
    return true;
  }
  return false;
}

bool read_what_failed(History& history, Random&) {
  for (const auto& it : history) {
    if (it.outcome != Outcome::fail) continue;
    for (const auto& append : it.operations) {
      if (append.kind != ListOperation::Kind::append) continue;
      for (auto& operation : history.back().operations) {
        if (operation.key == append.key) operation.list->push_back(append.element);
      }
      return true;
    }
  }
  return false;
}

/// Adds transactions behind the last one, all at the same time, then a reader of what they did.
Damage add(std::function<History(const List& k0, const List& k1)> made,
           std::function<History(List k0, List k1)> readers) {
  return [=](History& history, Random&) {
    const std::int64_t time = *history.back().returned;
    const List k0 = final_list(history, "k0"), k1 = final_list(history, "k1");
    std::int64_t process = 1'000;
    for (auto& it : made(k0, k1)) {
      it.process = ++process;
      it.invoked = time + 1;
      it.returned = time + 10;
      history.push_back(std::move(it));
    }
    for (auto& it : readers(k0, k1)) {
      it.process = ++process;
      it.invoked = time + 20;
      it.returned = time + 30;
      history.push_back(std::move(it));
    }
    return true;
  };
}

Transaction doing(std::vector<ListOperation> operations) {
  return {0, 0, 0, Outcome::ok, std::move(operations)};
}
ListOperation append(const char* key, Element element) {
  return ListOperation::append(key, element);
}
ListOperation read(const char* key, List list, std::vector<Element> more = {}) {
  list.insert(list.end(), more.begin(), more.end());
  return ListOperation::read(key, std::move(list));
}

constexpr Element A = 900'001, B = 900'002, C = 900'003, D = 900'004;

History sees_all(const List& k0, const List& k1, std::vector<Element> in_k0,
                 std::vector<Element> in_k1) {
  return {doing({read("k0", k0, std::move(in_k0)), read("k1", k1, std::move(in_k1))})};
}

Damage write_skew() {
  return add(
      [](const List& k0, const List& k1) -> History {
        return {doing({read("k0", k0), append("k1", A)}), doing({read("k1", k1), append("k0", B)})};
      },
      [](const List& k0, const List& k1) { return sees_all(k0, k1, {B}, {A}); });
}

Damage lost_update(bool seen) {
  return add(
      [](const List& k0, const List&) -> History {
        return {doing({read("k0", k0), append("k0", A)}), doing({read("k0", k0), append("k0", B)})};
      },
      [seen](const List& k0, const List& k1) {
        return seen ? sees_all(k0, k1, {A, B}, {}) : History{};
      });
}

Damage circular_reads() {
  return add(
      [](const List& k0, const List& k1) -> History {
        return {doing({append("k0", A), read("k1", k1, {B})}),
                doing({append("k1", B), read("k0", k0, {A})})};
      },
      [](const List&, const List&) { return History{}; });
}

Damage dirty_writes() {
  return add(
      [](const List&, const List&) -> History {
        return {doing({append("k0", A), append("k1", C)}),
                doing({append("k0", B), append("k1", D)})};
      },
      [](const List& k0, const List& k1) {
        return sees_all(k0, k1, {A, B}, {D, C});
      });
}

Damage fractured_read() {
  return add(
      [](const List& k0, const List& k1) -> History {
        return {doing({append("k0", A), append("k1", B)}),
                doing({read("k0", k0, {A}), read("k1", k1)})};
      },
      [](const List& k0, const List& k1) { return sees_all(k0, k1, {A}, {B}); });
}

Damage long_fork() {
  return add(
      [](const List& k0, const List& k1) -> History {
        return {doing({append("k0", A)}), doing({append("k1", B)}),
                doing({read("k0", k0, {A}), read("k1", k1)}),
                doing({read("k0", k0), read("k1", k1, {B})})};
      },
      [](const List& k0, const List& k1) { return sees_all(k0, k1, {A}, {B}); });
}

struct Mutant {
  const char* name;
  Level level;  // the weakest at which it must be rejected
  Damage damage;
};

const std::vector<Mutant>& mutants() {
  constexpr Level RU = Level::read_uncommitted, RC = Level::read_committed,
                  SI = Level::snapshot_isolation, RR = Level::repeatable_read,
                  STRICT = Level::strict_serializable;
  static const std::vector<Mutant> all{
      {"an inner element is missing from a read", RC, to_some_read(drop_inner_element)},
      {"two elements of a read change places", RC, to_some_read(swap_elements)},
      {"a read misses an acknowledged append", STRICT, to_some_read(miss_an_acknowledged_append)},
      {"a read of a list that is not empty sees nothing", STRICT, to_some_read(read_empty)},
      {"a read misses an append of its own transaction", SI, to_some_read(miss_its_own_append)},
      {"a read sees what its transaction appends later", SI,
       to_some_read(see_its_own_append_too_early)},
      {"the same read gets another answer", SI, to_some_read(answer_a_second_read_differently)},
      {"an element stands in a list twice", RU, to_some_read(double_an_element)},
      {"an element comes from nowhere", RU, to_some_read(make_an_element_up)},
      {"an element comes from another key", RU, to_some_read(take_an_element_of_another_key)},
      {"a read sees the future", STRICT, to_some_read(see_the_future)},
      {"an append is acknowledged before it was sent", STRICT,
       to_some_read(acknowledge_before_it_was_sent)},
      {"a read sees a state between two appends", RC, to_some_read(stop_between_two_appends)},
      {"what was read is said to have failed", RC, to_some_read(call_what_was_seen_a_failure)},
      {"an acknowledged append is nowhere", STRICT, forget_an_append_everywhere},
      {"a failed append is said to be acknowledged", STRICT, call_a_failure_a_success},
      {"what failed is read", RC, read_what_failed},
      {"write skew", RR, write_skew()},
      {"two update the same list, and both are seen", SI, lost_update(true)},
      {"two update the same list, and nobody looks", SI, lost_update(false)},
      {"two see each other", RC, circular_reads()},
      {"two overwrite each other", RU, dirty_writes()},
      {"half of a transaction is seen", SI, fractured_read()},
      {"two readers disagree about what came first", SI, long_fork()},
  };
  return all;
}

class ListMutants : public testing::TestWithParam<Mutant> {};

TEST_P(ListMutants, IsRejectedAtEveryLevelThatForbidsIt) {
  int applied = 0;
  for (std::uint64_t seed = 1; seed <= rounds(100U); ++seed) {
    History history = simulated_lists({.seed = seed});
    Random random(seed);
    if (!GetParam().damage(history, random)) continue;
    ++applied;
    for (const Level level : all_levels()) {
      // Repeatable read is not above snapshot isolation, but forbids all that these break.
      if (level < GetParam().level) continue;
      const auto judgement = check_list_append(history, {.level = level});
      ASSERT_TRUE(judgement) << judgement.error().message;
      EXPECT_EQ(judgement->verdict, Verdict::violated) << "seed " << seed << ", " << name(level);
    }
  }
  EXPECT_GE(applied, rounds(50)) << "hardly any history had a place for it";
}

INSTANTIATE_TEST_SUITE_P(Every, ListMutants, testing::ValuesIn(mutants()), [](const auto& tested) {
  std::string text = tested.param.name;
  std::replace_if(
      text.begin(), text.end(), [](char letter) { return !std::isalnum(letter); }, '_');
  return text;
});

}  // namespace
}  // namespace lab::judge
