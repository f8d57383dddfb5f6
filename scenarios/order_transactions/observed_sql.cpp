#include "observed_sql.h"

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
    if (statement.find("UPDATE products ") != std::string_view::npos)
      observer_.passed(kAfterStockUpdate);
    if (statement.find("INSERT INTO orders ") != std::string_view::npos)
      observer_.passed(kAfterOrderInsert);
    return result;
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
