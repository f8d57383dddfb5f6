#include "observed_sql.h"

#include <vector>

#include "core/clock.h"
#include "retry.h"

namespace order_transactions {
namespace {

using lab::Result;
using namespace lab::infra;

class ObservedConnection : public SqlConnection {
 public:
  ObservedConnection(std::unique_ptr<SqlConnection> inner, Observer& observer)
      : inner_(std::move(inner)), observer_(observer) {}

  Result<SqlResult> run(std::string_view statement, std::span<const SqlValue> values) override {
    const bool changes =
        statement.find("INSERT") != std::string_view::npos || statement.starts_with("UPDATE");
    if (changes && !in_transaction_) observer_.committing();
    travel();
    auto result = inner_->run(statement, values);
    if (!result) return noted(result.error());
    if (const auto step = step_after(statement); !step.empty()) observer_.passed(step);
    return result;
  }

  /// What goes at once cannot be half sent, and so no client can die inside it. Who is to die there all the same lets go out
  /// what comes before that step, and nothing else: the database has a transaction that has no end.
  Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
    for (const auto& [step, before] : steps_inside(statements)) {
      if (observer_.arrived(step)) die_after(statements.first(before), step);
    }
    observer_.begun();
    observer_.committing();
    travel();
    auto done = inner_->run_at_once(statements);
    if (!done) return noted(done.error());
    if (*done) observer_.committed();
    return done;
  }

  Result<void> begin() override {
    travel();
    auto begun = inner_->begin();
    if (!begun) return noted(begun.error());
    in_transaction_ = true;
    observer_.begun();
    observer_.passed(kAfterBegin);
    return begun;
  }

  Result<void> commit() override {
    observer_.passed(kBeforeCommit);
    observer_.committing();
    travel();
    auto committed = inner_->commit();
    if (!committed) return noted(committed.error());
    in_transaction_ = false;
    observer_.committed();
    return committed;
  }

  Result<void> rollback() override {
    in_transaction_ = false;
    return inner_->rollback();
  }

  SqlEngine engine() const override { return inner_->engine(); }

 private:
  struct Step {
    std::string_view name;
    std::size_t statements;  // that come before it
  };
  static std::vector<Step> steps_inside(std::span<const SqlStatement> statements) {
    std::vector<Step> steps{{kAfterBegin, 0}};
    for (std::size_t i = 0; i < statements.size(); ++i) {
      if (const auto step = step_after(statements[i].text); !step.empty())
        steps.push_back({step, i + 1});
    }
    steps.push_back({kBeforeCommit, statements.size()});
    return steps;
  }

  void die_after(std::span<const SqlStatement> statements, std::string_view step) {
    (void)inner_->begin();
    for (const auto& [text, values] : statements) (void)inner_->run(text, values);
    observer_.die(step);
  }

  static std::string_view step_after(std::string_view statement) {
    if (statement.find("UPDATE products ") != std::string_view::npos) return kAfterStockUpdate;
    if (statement.find("INSERT INTO orders ") != std::string_view::npos) return kAfterOrderInsert;
    return {};
  }

  void travel() const {
    if (engine() == SqlEngine::sqlite) (void)lab::sleep_for(kEmbeddedRoundTrip);
  }

  lab::Error noted(const lab::Error& error) {
    if (is_transient(error)) observer_.lost_to_another();
    return error;
  }

  std::unique_ptr<SqlConnection> inner_;
  Observer& observer_;
  bool in_transaction_ = false;
};

class ObservedSql : public Sql {
 public:
  ObservedSql(Sql& inner, Observer& observer) : inner_(inner), observer_(observer) {}

  Result<std::unique_ptr<SqlConnection>> acquire() override {
    auto connection = inner_.acquire();
    if (!connection) return connection.error();
    return std::make_unique<ObservedConnection>(std::move(*connection), observer_);
  }
  SqlEngine engine() const override { return inner_.engine(); }

 private:
  Sql& inner_;
  Observer& observer_;
};

}  // namespace

std::unique_ptr<Sql> observed(Sql& inner, Observer& observer) {
  return std::make_unique<ObservedSql>(inner, observer);
}

}  // namespace order_transactions
