// The checkers against a search through every order, on histories small enough for that.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/random.h"
#include "judge/linearizable.h"
#include "judge/list_append.h"
#include "simulator.h"

namespace lab::judge {
namespace {

using Lists = std::map<std::string, List>;

/// Carries the transaction out; false when one of its reads saw something else.
bool replay(const Transaction& transaction, Lists& lists) {
  for (const auto& operation : transaction.operations) {
    List& list = lists[operation.key];
    if (operation.kind == ListOperation::Kind::append) {
      list.push_back(operation.element);
    } else if (operation.list && *operation.list != list) {
      return false;
    }
  }
  return true;
}

/// May `next` come before all of `rest`? Not when one of them had returned before it was invoked.
template <class Entry>
bool may_be_next(const Entry& next, const std::vector<const Entry*>& rest) {
  return std::none_of(rest.begin(), rest.end(), [&](const Entry* other) {
    return other != &next && other->outcome == Outcome::ok && *other->returned < next.invoked;
  });
}

template <class Entry>
std::vector<const Entry*> but(const std::vector<const Entry*>& all, const Entry* one) {
  std::vector<const Entry*> rest = all;
  rest.erase(std::find(rest.begin(), rest.end(), one));
  return rest;
}

/// Is there an order of all ok transactions and any of the info ones that explains every read?
bool explained(const std::vector<const Transaction*>& left, const Lists& lists, bool real_time) {
  if (std::none_of(left.begin(), left.end(),
                   [](const Transaction* it) { return it->outcome == Outcome::ok; })) {
    return true;
  }
  for (const Transaction* next : left) {
    if (real_time && !may_be_next(*next, left)) continue;
    Lists after = lists;
    if (replay(*next, after) && explained(but(left, next), after, real_time)) return true;
  }
  return false;
}

bool explained(const std::vector<Transaction>& history, bool real_time) {
  std::vector<const Transaction*> left;
  for (const auto& it : history) {
    if (it.outcome != Outcome::fail) left.push_back(&it);
  }
  return explained(left, {}, real_time);
}

Outcome some_outcome(Random& random) {
  const std::uint64_t dice = random.below(10);
  return dice < 7 ? Outcome::ok : dice < 9 ? Outcome::info : Outcome::fail;
}

/// A few transactions on two keys whose reads see whatever: some fits, most does not.
std::vector<Transaction> some_transactions(Random& random) {
  std::vector<Transaction> history;
  std::map<std::string, List> appended;
  for (std::uint64_t count = 2 + random.below(3); count > 0; --count) {
    Transaction it;
    it.process = static_cast<std::int64_t>(count);
    it.invoked = static_cast<std::int64_t>(random.below(8));
    it.returned = it.invoked + 1 + static_cast<std::int64_t>(random.below(6));
    it.outcome = some_outcome(random);
    for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
      const std::string key = random.chance(0.5) ? "x" : "y";
      if (random.chance(0.5)) {
        appended[key].push_back(static_cast<Element>(appended[key].size()) + 1);
        it.operations.push_back(ListOperation::append(key, appended[key].back()));
      } else {
        it.operations.push_back(ListOperation::read(key, List{}));
      }
    }
    history.push_back(std::move(it));
  }
  for (auto& it : history) {
    for (auto& operation : it.operations) {
      if (operation.kind != ListOperation::Kind::read) continue;
      List list = appended[operation.key];
      if (random.chance(0.3) && list.size() > 1)
        std::swap(list[random.below(list.size())], list[random.below(list.size())]);
      list.resize(random.below(list.size() + 1));
      operation.list = std::move(list);
    }
  }
  return history;
}

/// Adds a reader of everything, so that the order of all appends is known.
void add_last_reader(std::vector<Transaction>& history, Random& random) {
  Transaction last{99, 90, 91, Outcome::ok, {}};
  Lists appended;
  for (const auto& it : history) {
    for (const auto& operation : it.operations) {
      const bool shows =
          it.outcome == Outcome::ok || (it.outcome == Outcome::info && random.chance(0.5));
      if (operation.kind == ListOperation::Kind::append && shows)
        appended[operation.key].push_back(operation.element);
    }
  }
  for (auto& [key, list] : appended) {
    if (random.chance(0.3) && list.size() > 1)
      std::swap(list[random.below(list.size())], list[random.below(list.size())]);
    last.operations.push_back(ListOperation::read(key, list));
  }
  history.push_back(std::move(last));
}

std::string told(const std::vector<Transaction>& history) {
  std::string text;
  for (const auto& it : history) {
    text += std::to_string(it.invoked) + "-" + std::to_string(*it.returned) + " " +
            (it.outcome == Outcome::ok     ? "ok "
             : it.outcome == Outcome::fail ? "fail "
                                           : "info ") +
            text_of(it) + "\n";
  }
  return text;
}

class ListOracle : public testing::TestWithParam<bool> {  // with real time?
 protected:
  bool accepts(const std::vector<Transaction>& history) const {
    const Level level = GetParam() ? Level::strict_serializable : Level::serializable;
    return check_list_append(history, {.level = level})->verdict != Verdict::violated;
  }
};

TEST_P(ListOracle, NeverAccusesWhatAnOrderExplains) {
  Random random(11);
  int explainable = 0;
  for (int i = 0; i < rounds(10'000); ++i) {
    const auto history = some_transactions(random);
    if (!explained(history, GetParam())) continue;
    ++explainable;
    ASSERT_TRUE(accepts(history)) << told(history);
  }
  EXPECT_GT(explainable, rounds(500));
}

TEST_P(ListOracle, FindsEveryViolationWhereEverythingWasRead) {
  Random random(12);
  int explainable = 0, not_explainable = 0;
  for (int i = 0; i < rounds(10'000); ++i) {
    auto history = some_transactions(random);
    add_last_reader(history, random);
    const bool order_exists = explained(history, GetParam());
    ++(order_exists ? explainable : not_explainable);
    ASSERT_EQ(accepts(history), order_exists) << told(history);
  }
  EXPECT_GT(explainable, rounds(300));
  EXPECT_GT(not_explainable, rounds(300));
}

INSTANTIATE_TEST_SUITE_P(Orders, ListOracle, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "RealTime" : "AnyOrder"; });

bool step(const KeyOperation& operation, KeyOperation::Value& value) {
  using Kind = KeyOperation::Kind;
  const bool known = operation.outcome == Outcome::ok;
  switch (operation.kind) {
    case Kind::read: return !known || value == operation.value;
    case Kind::write: value = operation.value; return true;
    case Kind::remove: value.reset(); return true;
    case Kind::cas: {
      const bool meets = value == operation.expected;
      if (known && meets != operation.swapped) return false;
      if (meets) value = operation.value;
      return true;
    }
  }
  return false;
}

bool linearizable(const std::vector<const KeyOperation*>& left, const KeyOperation::Value& value) {
  if (std::none_of(left.begin(), left.end(),
                   [](const KeyOperation* it) { return it->outcome == Outcome::ok; })) {
    return true;
  }
  for (const KeyOperation* next : left) {
    KeyOperation::Value after = value;
    if (may_be_next(*next, left) && step(*next, after) && linearizable(but(left, next), after))
      return true;
  }
  return false;
}

std::vector<KeyOperation> some_operations(Random& random) {
  std::vector<KeyOperation> history;
  for (std::uint64_t count = 2 + random.below(5); count > 0; --count) {
    KeyOperation it;
    it.process = static_cast<std::int64_t>(count);
    it.invoked = static_cast<std::int64_t>(random.below(10));
    it.returned = it.invoked + 1 + static_cast<std::int64_t>(random.below(6));
    it.outcome = some_outcome(random);
    it.kind = static_cast<KeyOperation::Kind>(random.below(4));
    const auto some_value = [&random]() -> KeyOperation::Value {
      const std::uint64_t dice = random.below(4);
      return dice == 0 ? KeyOperation::Value{} : std::to_string(dice);
    };
    it.value = some_value();
    it.expected = some_value();
    it.swapped = random.chance(0.6);
    history.push_back(std::move(it));
  }
  return history;
}

TEST(RegisterOracle, AgreesOnEveryHistory) {
  Random random(13);
  int good = 0, bad = 0;
  for (int i = 0; i < rounds(15'000); ++i) {
    const auto history = some_operations(random);
    std::vector<const KeyOperation*> left;
    bool any_ok = false;
    for (const auto& it : history) {
      if (it.outcome != Outcome::fail) left.push_back(&it);
      any_ok |= it.outcome == Outcome::ok;
    }
    const bool fine = linearizable(left, {});
    ++(fine ? good : bad);
    const Judgement judgement = check_linearizable(history);
    const Verdict expected = !any_ok ? Verdict::unknown : fine ? Verdict::holds : Verdict::violated;
    std::string text;
    for (const auto& it : history)
      text += std::to_string(it.invoked) + "-" + std::to_string(*it.returned) + " " + text_of(it) +
              "\n";
    ASSERT_EQ(name(judgement.verdict), name(expected)) << text;
  }
  EXPECT_GT(good, rounds(1'000));
  EXPECT_GT(bad, rounds(1'000));
}

}  // namespace
}  // namespace lab::judge
