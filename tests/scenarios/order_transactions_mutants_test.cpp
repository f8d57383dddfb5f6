// Every check of order_transactions is seen to fail: a list of mutants says which check each of them breaks, and it must break
// that one and no other. First histories and books that were altered by hand, then desks with a fault on a real (embedded)
// database, then rows that are taken away. The near misses are right, and nobody may accuse them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "books.h"
#include "c_client.h"
#include "client.h"
#include "domain/migrations.h"
#include "infra/migrate.h"
#include "observed_sql.h"
#include "retry.h"
#include "speed.h"
#include "test_support.h"
#include "variants/conditional_update.h"
#include "variants/idempotent_order.h"
#include "variants/one_round_trip.h"
#include "variants/optimistic_version.h"

namespace order_transactions {
namespace {

using namespace std::chrono_literals;
using lab::harness::Operation;
using lab::harness::Outcome;
using lab::harness::Verdict;
using lab::infra::SqlResult;
using lab::infra::SqlStatement;
using lab::infra::SqlValue;
using ::testing::HasSubstr;

constexpr std::int64_t kProduct = 1020, kOther = 1021;

std::set<std::string> broken_by(const Evidence& evidence) {
  std::set<std::string> broken;
  for (const auto& check : checks()) {
    const auto result = check.judge(evidence);
    if (result && result->verdict == Verdict::violated) broken.insert(check.name);
  }
  return broken;
}

/// Requests 1 and 2 bought the two pieces of the product, 3 came too late, 4 got no answer and asked again too late.
struct Day {
  Evidence evidence{lab::Instant{}};

  Day() {
    evidence.history = lab::harness::History(lab::Instant{}, 5);
    evidence.initial = {{kProduct, 2}, {kOther, 5}};
    evidence.left = {{kProduct, 0}, {kOther, 5}};
    evidence.watched.snapshots = 100;
    call(0, 1, 1ms, order_of(1, 0));
    call(1, 2, 3ms, order_of(2, 0));
    call(2, 3, 5ms, OrderId{});
    call(3, 4, 7ms, order_of(4, 0)).outcome = Outcome::info;
    call(3, 4, 9ms, OrderId{}).kind = kRetry;
    for (const std::int64_t request : {1, 2})
      evidence.orders.push_back({order_of(request, 0), kProduct, 1});
  }

  Operation& call(std::uint32_t client, std::int64_t request, Nanos invoked, OrderId answer) {
    Operation op{.key = request, .value = answer.value, .client = client, .kind = kPlace};
    op.planned = op.invoked = invoked;
    op.returned = invoked + 1ms;
    op.aux = Wish{.product = kProduct, .quantity = 1}.packed();
    return evidence.history.log(client).emplace_back(op);
  }
  Operation& of(std::uint32_t client) { return evidence.history.log(client).back(); }
  void sell(std::int64_t request, std::int64_t attempt) {
    evidence.orders.push_back({order_of(request, attempt), kProduct, 1});
  }
};

struct Mutant {
  const char* what;
  std::set<std::string> breaks;  // these checks and no other
  std::function<void(Day&)> alter;
};

const std::vector<Mutant> kMutants{
    {"a piece is neither there nor sold",
     {"conservation"},
     [](Day& day) { day.evidence.left[kOther] = 4; }},
    {"a piece is there and sold",
     {"conservation"},
     [](Day& day) { day.evidence.left[kProduct] = 1; }},
    {"the last piece is sold twice, and the books add up",
     {"no-oversell"},
     [](Day& day) {
       day.call(4, 5, 5ms, order_of(5, 0));
       day.sell(5, 0);
       day.evidence.left[kProduct] = -1;
     }},
    {"a stock was below zero for a moment",
     {"stock-not-negative"},
     [](Day& day) { day.evidence.watched.below_zero = 1; }},
    {"\"sold out\" before the last piece was asked for",
     {"sold-out-is-true"},
     [](Day& day) { day.of(2).invoked = 1ms, day.of(2).returned = 2ms; }},
    {"\"sold out\" where there is plenty",
     {"sold-out-is-true"},
     [](Day& day) { day.of(2).aux = Wish{.product = kOther, .quantity = 5}.packed(); }},
    {"an acknowledged order is gone",
     {"acknowledged"},
     [](Day& day) {
       day.evidence.orders.pop_back();
       day.evidence.left[kProduct] = 1;
       for (const std::uint32_t client : {2u, 3u}) day.evidence.history.log(client).clear();
       day.call(2, 3, 5ms, OrderId{}).aux = Wish{.product = kProduct, .quantity = 2}.packed();
     }},
    {"another quantity than was acknowledged",
     {"acknowledged"},
     [](Day& day) { day.of(1).aux = Wish{.product = kProduct, .quantity = 2}.packed(); }},
    {"another product than was acknowledged",
     {"acknowledged"},
     [](Day& day) { day.of(1).aux = Wish{.product = kOther, .quantity = 1}.packed(); }},
    {"the answer is somebody else's order",
     {"acknowledged"},
     [](Day& day) { day.call(4, 5, 5ms, order_of(1, 0)); }},
    {"an order that failed is there",
     {"acknowledged"},
     [](Day& day) { day.of(1).outcome = Outcome::fail; }},
    {"an order that was told as sold out is there",
     {"acknowledged"},
     [](Day& day) { day.of(1).value = 0, day.of(1).invoked = 6ms, day.of(1).returned = 7ms; }},
    {"a repeated request made two orders",
     {"once"},
     [](Day& day) {
       day.of(0).outcome = Outcome::info;
       day.call(0, 1, 3ms, order_of(1, 1)).kind = kRetry;
       day.sell(1, 1);
       day.evidence.initial[kProduct] = 3;
     }},
    {"a repeated request is told \"sold out\" although its first call has bought",
     {"once"},
     [](Day& day) {
       day.of(0).outcome = Outcome::info;
       day.call(0, 1, 9ms, OrderId{}).kind = kRetry;
     }},
    {"a row without its counterpart",
     {"all-or-nothing"},
     [](Day& day) {
       day.evidence.orphans.push_back({"there is no payment for order", 64});
     }},
    {"a transaction that was broken off is told as an order",
     {"no-false-success"},
     [](Day& day) {
       day.of(0).aux =
           Wish{.product = kProduct, .quantity = 1, .conflicts = 1, .ended_in_conflict = true}
               .packed();
     }},
};

const std::vector<Mutant> kNearMisses{
    {"nothing is altered", {}, [](Day&) {}},
    {"\"sold out\" to who wants more than is left",
     {},
     [](Day& day) { day.of(2).aux = Wish{.product = kOther, .quantity = 6}.packed(); }},
    {"\"sold out\" while the last piece may be going",
     {},
     [](Day& day) { day.of(2).invoked = 3ms, day.of(2).returned = 4ms; }},
    {"an order without an answer is there, and asking again gives it",
     {},
     [](Day& day) {
       day.of(1).outcome = Outcome::info;
       day.call(1, 2, 5ms, order_of(2, 0)).kind = kRetry;
     }},
    {"an order without an answer is not there, and asking again makes it",
     {},
     [](Day& day) {
       day.of(1).outcome = Outcome::info;
       day.evidence.orders.back().id = order_of(2, 1);
       day.call(1, 2, 4ms, order_of(2, 1)).kind = kRetry;
     }},
    {"an order failed, and is not there",
     {},
     [](Day& day) { day.call(4, 5, 5ms, order_of(5, 0)).outcome = Outcome::fail; }},
    {"a transaction was broken off, and tried again with success",
     {},
     [](Day& day) {
       day.of(0).aux = Wish{.product = kProduct, .quantity = 1, .conflicts = 3}.packed();
     }},
    {"a transaction was broken off, and the order failed",
     {},
     [](Day& day) {
       Operation& op = day.call(4, 5, 5ms, order_of(5, 0));
       op.outcome = Outcome::fail;
       op.aux = Wish{.product = kProduct, .quantity = 1, .conflicts = 1, .ended_in_conflict = true}
                    .packed();
     }},
};

TEST(Mutants, EachBreaksItsCheckAndNoOther) {
  std::set<std::string> broken;
  for (const auto& mutant : kMutants) {
    Day day;
    mutant.alter(day);
    EXPECT_EQ(broken_by(day.evidence), mutant.breaks) << mutant.what;
    broken.insert(mutant.breaks.begin(), mutant.breaks.end());
  }
  for (const auto& check : checks())
    EXPECT_EQ(broken.count(check.name), 1u) << "nothing breaks " << check.name;
}

TEST(Mutants, NearMissesAreNotAccused) {
  for (const auto& miss : kNearMisses) {
    Day day;
    miss.alter(day);
    for (const auto& check : checks()) {
      const auto result = check.judge(day.evidence);
      if (!result) continue;
      EXPECT_EQ(result->verdict, Verdict::holds) << miss.what << ": " << check.name;
    }
  }
}

/// Refuses one change of the stock, as a database does when another transaction was first.
class RefusingSql : public Sql {
 public:
  explicit RefusingSql(Sql& inner) : inner_(inner) {}
  void refuse_once() { refuses_ = true; }
  Result<std::unique_ptr<SqlConnection>> acquire() override {
    auto connection = inner_.acquire();
    if (!connection) return connection.error();
    return std::make_unique<Connection>(std::move(*connection), *this);
  }
  SqlEngine engine() const override { return inner_.engine(); }

 private:
  class Connection : public SqlConnection {
   public:
    Connection(std::unique_ptr<SqlConnection> inner, RefusingSql& owner)
        : inner_(std::move(inner)), owner_(owner) {}
    Result<SqlResult> run(std::string_view text, std::span<const SqlValue> values) override {
      if (text.starts_with("UPDATE products") && std::exchange(owner_.refuses_, false))
        return refusal();
      return inner_->run(text, values);
    }
    Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
      if (std::exchange(owner_.refuses_, false)) return refusal();
      return inner_->run_at_once(statements);
    }
    Result<void> begin() override { return inner_->begin(); }
    Result<void> commit() override { return inner_->commit(); }
    Result<void> rollback() override { return inner_->rollback(); }
    SqlEngine engine() const override { return inner_->engine(); }

   private:
    static Error refusal() {
      return {lab::ErrorCode::conflict, lab::Happened::no, "another was first", "40001"};
    }
    std::unique_ptr<SqlConnection> inner_;
    RefusingSql& owner_;
  };

  Sql& inner_;
  bool refuses_ = false;
};

/// A desk on a database of its own, asked like a client does it.
class Shop : public ::testing::Test, public Observer {
 protected:
  Shop() {
    sql_ = lab::infra::connect_sql(
        {.engine = SqlEngine::sqlite, .path = (folder_ / "shop.sqlite").string()},
        {.connections = 1});
    lab::infra::migrate(*sql_, lab::domain::migrations()).value();
    prepare_books(*sql_, 1);
    stock_up(*sql_, season_.stock());
    for (const auto& [product, count] : season_.stock()) evidence_.initial[product.value] = count;
    evidence_.history = lab::harness::History(lab::Instant{}, 1);
    evidence_.watched.snapshots = 100;
    refusing_ = std::make_unique<RefusingSql>(*sql_);
    observed_ = observed(*refusing_, *this);
  }

  void lost_to_another() override { lost_ = true, ++conflicts_; }
  void begun() override { lost_ = false; }
  void committed() override { lost_ = false; }

  void buy(OrderDesk& desk) {
    lost_ = false;
    conflicts_ = 0;
    Wish wish{.product = season_.first_product(), .quantity = 2};
    Operation op = ask(desk, request_for(++request_, 0, wish), wish);
    wish.conflicts = conflicts_;
    wish.ended_in_conflict = lost_;
    op.aux = wish.packed();
    op.kind = kPlace;
    op.returned = (op.invoked = std::chrono::milliseconds(request_)) + 1us;
    evidence_.history.log(0).push_back(op);
  }
  const Evidence& close(const Recipe& recipe = {}) {
    read_books(*sql_, season_, recipe, evidence_);
    return evidence_;
  }

  const Season season_{.number = 1, .sales = 1};
  lab::test::TestFolder folder_;
  std::unique_ptr<Sql> sql_, observed_;
  std::unique_ptr<RefusingSql> refusing_;
  Evidence evidence_{lab::Instant{}};
  std::int64_t request_ = season_.first_request(0);
  std::int64_t conflicts_ = 0;
  bool lost_ = false;
};

/// What is in the books is taken back, and the client is told otherwise.
class AnswersAndRollsBack : public OrderDesk {
 public:
  explicit AnswersAndRollsBack(Sql& sql) : sql_(sql) {}
  Result<Answer> place(const OrderRequest& request) override {
    (void)in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
      if (auto done = insert_key_and_order(transaction, request); !done) return done.error();
      if (auto taken = take_from_stock(transaction, request); !taken) return taken.error();
      return kSoldOut;
    });
    return Answer{request.id};
  }

 private:
  Sql& sql_;
};

class CommitsAndTellsOfAFailure : public ConditionalUpdate {
 public:
  using ConditionalUpdate::ConditionalUpdate;
  Result<Answer> place(const OrderRequest& request) override {
    (void)ConditionalUpdate::place(request);
    return Error{lab::ErrorCode::refused, lab::Happened::no, "sorry"};
  }
};

class TakesAConflictForAnOrder : public OrderDesk {
 public:
  explicit TakesAConflictForAnOrder(Sql& sql) : sql_(sql) {}
  Result<Answer> place(const OrderRequest& request) override {
    (void)in_transaction(sql_, [&](SqlConnection& transaction) -> Result<Answer> {
      if (auto done = insert_key_and_order(transaction, request); !done) return done.error();
      if (auto taken = take_from_stock(transaction, request); !taken) return taken.error();
      return Answer{request.id};
    });
    return Answer{request.id};
  }

 private:
  Sql& sql_;
};

using Broken = std::set<std::string>;

TEST_F(Shop, AnOrderThatWasTakenBackIsNotAcknowledged) {
  AnswersAndRollsBack desk(*observed_);
  buy(desk);
  EXPECT_EQ(broken_by(close()), Broken{"acknowledged"});
}

TEST_F(Shop, AnOrderThatWasCommittedHasNotFailed) {
  CommitsAndTellsOfAFailure desk(*observed_);
  buy(desk);
  EXPECT_EQ(broken_by(close()), Broken{"acknowledged"});
}

TEST_F(Shop, AConflictIsNoOrder) {
  TakesAConflictForAnOrder desk(*observed_);
  refusing_->refuse_once();
  buy(desk);
  buy(desk);  // this one is in order
  EXPECT_EQ(broken_by(close()), (Broken{"acknowledged", "no-false-success"}));
}

TEST_F(Shop, AConflictThatWasTriedAgainIsNotAccused) {
  OneRoundTrip at_once(*observed_);
  IdempotentOrder one_by_one(*observed_);
  for (OrderDesk* desk :
       {static_cast<OrderDesk*>(&at_once), static_cast<OrderDesk*>(&one_by_one)}) {
    refusing_->refuse_once();
    buy(*desk);
  }
  EXPECT_EQ(broken_by(close({.writes_outbox = true})), Broken{});
  EXPECT_EQ(evidence_.orders.size(), 2u);
}

/// Another buyer is at the row between this one's read and its write: as often as it is told.
class CrowdedSql : public Sql {
 public:
  CrowdedSql(Sql& inner, Sql& others, int times) : inner_(inner), others_(others), times_(times) {}
  Result<std::unique_ptr<SqlConnection>> acquire() override {
    if (asked_++ % 2 == 1 && times_-- > 0)  // first to read, then to write
      (void)others_.run("UPDATE products SET version = version + 1").value();
    return inner_.acquire();
  }
  SqlEngine engine() const override { return inner_.engine(); }

 private:
  Sql& inner_;
  Sql& others_;
  int asked_ = 0, times_;
};

TEST_F(Shop, WhatAVariantFindsOutdatedByItselfIsARetryToo) {
  CrowdedSql crowded(*observed_, *sql_, 3);
  OptimisticVersion desk(crowded);
  buy(desk);
  EXPECT_EQ(desk.retries(), 3);
  EXPECT_EQ(conflicts_, 0) << "the database refused nothing";
  EXPECT_EQ(broken_by(close()), Broken{});
  EXPECT_EQ(evidence_.orders.size(), 1u);
}

/// Takes no order at all, and is quick about it.
class RefusesEverybody : public OrderDesk {
 public:
  explicit RefusesEverybody(Sql&) {}
  Result<Answer> place(const OrderRequest&) override {
    std::this_thread::sleep_for(1ms);
    return Error{lab::ErrorCode::conflict, lab::Happened::no, "somebody was first", "1020"};
  }
};

TEST_F(Shop, OrdersThatWereNotTakenAreNoSpeed) {
  lab::harness::RunPlan plan;
  plan.timing.round = 20ms;
  Speed speed(*sql_, {}, plan);
  Recipe recipe{.variant = "refuses", .retries = false};
  recipe.make = [](Sql& sql) { return std::make_unique<RefusesEverybody>(sql); };
  for (const auto& metric : speed.round(recipe, 1).metrics)
    EXPECT_EQ(metric.samples, std::vector<double>{0}) << metric.name;
  recipe.make = [](Sql& sql) { return std::make_unique<ConditionalUpdate>(sql); };
  EXPECT_GT(speed.round(recipe, 1).metrics.front().samples.at(0), 0);
}

/// Answers yes, and keeps what was asked.
class ListeningSql : public Sql {
 public:
  Result<std::unique_ptr<SqlConnection>> acquire() override {
    return std::make_unique<Connection>(heard);
  }
  SqlEngine engine() const override { return SqlEngine::mariadb; }

  std::vector<std::string> heard;

 private:
  struct Connection : SqlConnection {
    explicit Connection(std::vector<std::string>& all) : heard_(all) {}
    Result<SqlResult> run(std::string_view, std::span<const SqlValue>) override {
      return SqlResult{};
    }
    Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
      for (const auto& statement : statements) heard_.emplace_back(statement.text);
      return true;
    }
    Result<void> begin() override { return {}; }
    Result<void> commit() override { return {}; }
    Result<void> rollback() override { return {}; }
    SqlEngine engine() const override { return SqlEngine::mariadb; }
    std::vector<std::string>& heard_;
  };
};

TEST(TheLimit, AsksForWhatOneRoundTripAsksFor) {
  ListeningSql sql;
  (void)OneRoundTrip(sql).place(request_for(1, 0, {.product = 1, .quantity = 1})).value();
  std::vector<std::string> limit;
  for (const auto& statement : statements_of_an_order()) limit.emplace_back(statement.text);
  EXPECT_EQ(sql.heard, limit);
}

struct Damage {
  const char* what;  // the orphan that it makes
  Key key;           // how the order was placed
  std::vector<const char*> statements;
};

const std::vector<Damage> kDamages{
    {"there is no line for order", Key::in_the_payment, {"DELETE FROM order_lines"}},
    {"there is no payment for order", Key::in_its_table, {"DELETE FROM payments"}},
    {"the amount paid is not the price of order",
     Key::in_the_payment,
     {"UPDATE payments SET amount_cents = amount_cents - 1"}},
    {"the amount paid is not the price of order",
     Key::in_the_payment,
     {"UPDATE payments SET amount_cents = 1", "UPDATE orders SET total_cents = 1"}},
    {"there is no outbox row for order", Key::in_the_payment, {"DELETE FROM outbox"}},
    {"there is no key for order", Key::in_its_table, {"DELETE FROM idempotency_keys"}},
    {"there is a key, and no order",
     Key::in_its_table,
     {"DELETE FROM outbox", "DELETE FROM payments", "DELETE FROM order_lines",
      "DELETE FROM orders"}},
    {"the key is not its client's of order",
     Key::in_the_payment,
     {"UPDATE payments SET idempotency_key = 'attempt-1'"}},
    {"the key is not its client's of order",
     Key::in_the_payment,
     {"UPDATE payments SET idempotency_key = 'request-1'"}},  // another client's
    {"the key is not its client's of order",
     Key::in_its_table,
     {"UPDATE idempotency_keys SET idempotency_key = 'request-1'"}},
};

class Damaged : public Shop, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(Damaged, ARowWithoutItsCounterpartIsFound) {
  const Damage& damage = kDamages[GetParam()];
  OneRoundTrip with_payment(*observed_);
  IdempotentOrder with_table(*observed_);
  if (damage.key == Key::in_its_table)
    buy(with_table);
  else
    buy(with_payment);
  const Recipe recipe{.writes_outbox = true, .key = damage.key};
  EXPECT_EQ(broken_by(close(recipe)), Broken{});
  (void)sql_->run("PRAGMA foreign_keys = OFF").value();
  for (const char* statement : damage.statements) (void)sql_->run(statement).value();
  evidence_.orders.clear();
  close(recipe);
  ASSERT_EQ(evidence_.orphans.size(), 1u) << damage.what;
  EXPECT_EQ(evidence_.orphans[0].what, damage.what);
  EXPECT_EQ(broken_by(evidence_).count("all-or-nothing"), 1u);
}

INSTANTIATE_TEST_SUITE_P(Each, Damaged, ::testing::Range<std::size_t>(0, kDamages.size()));

}  // namespace
}  // namespace order_transactions
