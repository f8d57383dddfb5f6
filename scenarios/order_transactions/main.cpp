// order_transactions: "Two people buy the last item at the same moment."
//
// The scenario as a table of contents: its variants with what each promises, its faults, its checks.

#include "actors/role.h"
#include "checks.h"
#include "client.h"
#include "fault_run.h"
#include "harness/scenario.h"
#include "variants/check_then_decrement.h"
#include "variants/conditional_update.h"
#include "variants/idempotent_order.h"
#include "variants/one_round_trip.h"
#include "variants/optimistic_version.h"
#include "variants/read_then_write.h"
#include "variants/select_for_update.h"
#include "variants/serializable_retry.h"
#include "variants/transaction_only.h"
#include "world.h"

using namespace order_transactions;
using lab::harness::Promise;
using lab::harness::Scenario;

namespace {

/// Under these a client asks again what the database may have done already: without a key it buys twice.
const std::vector<std::string> kRepeats{kAppCrash, kReset};
/// Whether the database dies between a COMMIT and its answer is chance.
const std::vector<std::string> kMayRepeat{"db-kill"};

std::string source(const std::string& variant) {
  return "scenarios/order_transactions/variants/" + variant + ".h";
}

/// Right about the stock, and open to a repeated request.
Promise holds_without_a_key() {
  return Promise::must_hold().also_breaks("once", kRepeats).silent_on("once", kMayRepeat);
}

std::vector<lab::harness::Variant> variants() {
  return {
      {"read_then_write",
       Promise::must_break("no-oversell")
           .also_breaks("conservation")
           .also_breaks("all-or-nothing", {kAppCrash})
           .also_breaks("once", kRepeats)
           .silent_on("all-or-nothing", {"db-kill", kReset})
           .silent_on("sold-out-is-true", {kAppCrash, "db-kill", kReset})
           .silent_on("once"),
       "naive: read the stock, decide, write what is left", source("read_then_write"),
       "// what it was, less these"},
      {"transaction_only",
       Promise::must_break("no-oversell")
           .also_breaks("conservation")
           .also_breaks("once", kRepeats)
           .silent_on("once", kMayRepeat),
       "the same between BEGIN and COMMIT, at the engine's default level",
       source("transaction_only"), "UPDATE products SET stock = ?"},
      {"check_then_decrement",
       Promise::must_break("no-oversell")
           .also_breaks("stock-not-negative")
           .also_breaks("once", kRepeats)
           .silent_on("once", kMayRepeat),
       "lowers the stock instead of setting it: the books add up, below zero",
       source("check_then_decrement"), "SET stock = stock - ? WHERE id = ?\""},
      {"select_for_update", holds_without_a_key(), "locks the row before it reads it (pessimistic)",
       source("select_for_update"), "FOR UPDATE\""},
      {"optimistic_version", holds_without_a_key(),
       "writes only if the row's version is still the one it read, else reads again (optimistic)",
       source("optimistic_version"), "AND version = ?"},
      {"conditional_update", holds_without_a_key(),
       "the condition is part of the write: no read, no retry", source("conditional_update"),
       "AND stock >= ?"},
      {"serializable_retry", holds_without_a_key(),
       "the naive statements at SERIALIZABLE; who is broken off tries again",
       source("serializable_retry"), "Isolation::serializable"},
      {"idempotent_order", Promise::must_hold(),
       "the client's key and an outbox row in the same transaction: asking again is safe",
       source("idempotent_order"), "insert_key_and_order"},
      {"one_round_trip", Promise::must_hold(),
       "sends the whole transaction at once; the payment's key is the client's",
       source("one_round_trip"), "run_at_once"},
  };
}

template <class Desk>
std::unique_ptr<OrderDesk> make(lab::infra::Sql& sql) {
  return std::make_unique<Desk>(sql);
}

std::vector<Recipe> recipes() {
  return {
      {.variant = "read_then_write",
       .make = make<ReadThenWrite>,
       .transactions = false,
       .retries = false},
      {.variant = "transaction_only",
       .make = make<TransactionOnly>,
       .retries = false,
       .promise_without_lost_updates = holds_without_a_key()},
      {.variant = "check_then_decrement",
       .make = make<CheckThenDecrement>,
       .retries = false,
       .promise_without_lost_updates = holds_without_a_key()},
      {.variant = "select_for_update", .make = make<SelectForUpdate>},
      {.variant = "optimistic_version", .make = make<OptimisticVersion>},
      {.variant = "conditional_update", .make = make<ConditionalUpdate>},
      {.variant = "serializable_retry", .make = make<SerializableRetry>},
      {.variant = "idempotent_order",
       .make = make<IdempotentOrder>,
       .writes_outbox = true,
       .key = Key::in_its_table},
      {.variant = "one_round_trip",
       .make = make<OneRoundTrip>,
       .writes_outbox = true,
       .key = Key::in_the_payment},
  };
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "order-transactions";
  scenario.question = "Two people buy the last item at the same moment.";
  scenario.needs = {"sql"};
  scenario.variants = variants();
  scenario.faults = faults();
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "orders_per_second";
  scenario.naive = "read_then_write";
  scenario.lesson =
      "between its read and its write others read the same stock, and all of them sell it";
  scenario.next = "./lab run order-transactions --sql postgres   (the same code, another engine)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  if (lab::actors::role_of(argc, argv) == kClientRole) return client(recipes());
  return lab::harness::run_main(scenario(), argc, argv);
}
