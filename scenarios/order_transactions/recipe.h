#pragma once
// What the scenario knows of a variant beyond its name: how its desk is made, and what there is to look at.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/check.h"
#include "infra/sql.h"
#include "observed_sql.h"
#include "order_desk.h"

namespace order_transactions {

/// Where an order keeps the client's key.
enum class Key { none, in_its_table, in_the_payment };

struct Recipe {
  std::string variant;
  std::function<std::unique_ptr<OrderDesk>(lab::infra::Sql&)> make;
  bool transactions = true;  // it has BEGIN and COMMIT
  bool retries = true;       // when the database says that another transaction was first
  bool writes_outbox = false;
  Key key = Key::none;
  /// Of variants that rely on the engine's default level: what they promise where it does not let updates get lost.
  std::optional<lab::harness::Promise> promise_without_lost_updates;
};

/// The steps that its orders pass, all of them places to die.
inline std::vector<std::string> steps_of(const Recipe& recipe) {
  std::vector<std::string> steps;
  for (const auto step :
       {kAfterBegin, kAfterStockUpdate, kAfterOrderInsert, kBeforeCommit, kAfterCommit}) {
    if (recipe.transactions || (step != kAfterBegin && step != kBeforeCommit))
      steps.emplace_back(step);
  }
  return steps;
}

/// Throws Failure when there is none.
const Recipe& recipe_of(const std::vector<Recipe>& recipes, std::string_view variant);

}  // namespace order_transactions
