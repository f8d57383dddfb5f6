#pragma once
// Histories that are known to be right, because a simulated store made them: clients take turns as
// the seed says.

#include <cstdint>
#include <vector>

#include "judge/history.h"
#include "test_support.h"

namespace lab::judge {

/// Of so many rounds, each with another history, what a test takes: all, or with sanitizers a fifth.
template <class Count>
Count rounds(Count all) {
  return test::sanitized() ? all / 5 : all;
}

enum class Store {
  strict,    // a transaction happens at one moment between its call and its return
  snapshot,  // reads what was there when it began; the first to commit an append to a key wins
  read_committed,  // each read sees what is committed by then
};

struct ListPlan {
  std::uint64_t seed = 1;
  Store store = Store::strict;
  int transactions = 60;
  int processes = 5;
  int keys = 3;
  bool read_all = true;  // in the end one transaction reads every key
};

/// Keys "k0", "k1", …; elements count from 1. Some transactions fail, of some nobody knows.
std::vector<Transaction> simulated_lists(const ListPlan& plan);

struct RegisterPlan {
  std::uint64_t seed = 1;
  int operations = 80;
  int processes = 4;
  int keys = 1;  // with one the key is ""
  double lost_answers = 0.07;
};

/// Every write and every cas that swaps leaves a value of its own. With several keys some
/// operations delete.
std::vector<KeyOperation> simulated_registers(const RegisterPlan& plan);

}  // namespace lab::judge
