// The bounded pool behind Sql. Poco's own would keep MariaDB sessions that died with their server
// for ever.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "infra/deadline.h"
#include "infra/sql_session.h"

namespace lab::infra {
namespace {

class Pool {
 public:
  Pool(SqlAddress address, SqlOptions options)
      : address_(std::move(address)),
        options_(options),
        places_(std::max<std::size_t>(options.connections, 1)) {}

  Result<std::unique_ptr<SqlSession>> take() {
    {
      std::unique_lock lock(mutex_);
      if (!freed_.wait_for(lock, options_.acquire_timeout, [&] { return taken_ < places_; })) {
        return Error{ErrorCode::exhausted, Happened::no,
                     fmt::format("{}: all {} connections were busy", address_.display(), places_)};
      }
      ++taken_;
      if (!idle_.empty()) {
        auto session = std::move(idle_.back());
        idle_.pop_back();
        return session;
      }
    }
    auto opened = open();
    if (opened) return opened;
    give_back(nullptr);
    return about(opened.error());
  }

  void give_back(std::unique_ptr<SqlSession> session) {
    {
      const std::lock_guard lock(mutex_);
      --taken_;
      if (session) idle_.push_back(std::move(session));
    }
    freed_.notify_one();
  }

  /// One connection died: the idle ones may have died with it.
  void drop_idle() {
    std::vector<std::unique_ptr<SqlSession>> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(idle_);
  }

  Error about(Error error) const {
    error.message = fmt::format("{}: {}", address_.display(), error.message);
    return error;
  }

  SqlEngine engine() const { return address_.engine; }

 private:
  Result<std::unique_ptr<SqlSession>> open() const {
    switch (address_.engine) {
      case SqlEngine::sqlite: return open_sqlite(address_, options_);
      case SqlEngine::mariadb: return open_mariadb(address_, options_);
      case SqlEngine::postgres: return open_postgres(address_, options_);
    }
    return Error{ErrorCode::internal, Happened::no, "unknown engine"};
  }

  const SqlAddress address_;
  const SqlOptions options_;
  const std::size_t places_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t taken_ = 0;                          // guarded by mutex_
  std::vector<std::unique_ptr<SqlSession>> idle_;  // guarded by mutex_
};

/// A session on loan, and where its transaction stands.
class Lent : public SqlConnection {
 public:
  Lent(std::shared_ptr<Pool> pool, std::unique_ptr<SqlSession> session)
      : pool_(std::move(pool)), session_(std::move(session)) {}

  ~Lent() override {
    if (in_transaction_ && !broken_) (void)rollback();
    if (broken_) {
      session_.reset();
      pool_->drop_idle();
    }
    pool_->give_back(std::move(session_));
  }

  using SqlConnection::run;
  Result<SqlResult> run(std::string_view statement, std::span<const SqlValue> values) override {
    if (ended_by_) return *ended_by_;
    if (broken_) return Error{ErrorCode::closed, Happened::no, "the connection broke earlier"};
    auto result = session_->run(statement, values);
    if (result) return result;
    const Error error = pool_->about(result.error());
    note(error);
    return error;
  }

  Result<bool> run_at_once(std::span<const SqlStatement> statements) override {
    if (in_transaction_)
      return Error{ErrorCode::invalid, Happened::no, "run_at_once: a transaction is open already"};
    if (broken_) return Error{ErrorCode::closed, Happened::no, "the connection broke earlier"};
    auto done = session_->run_at_once(statements);
    if (done) return done;
    const Error error = pool_->about(done.error());
    note(error);
    return error;
  }

  Result<void> begin() override {
    if (in_transaction_)
      return Error{ErrorCode::invalid, Happened::no, "begin: a transaction is open already"};
    auto begun = run(session_->begin_statement());
    if (!begun) {
      // Nothing can have happened in a transaction that did not begin.
      Error error = begun.error();
      error.happened = Happened::no;
      return error;
    }
    in_transaction_ = true;
    return {};
  }

  Result<void> commit() override {
    if (!in_transaction_)
      return Error{ErrorCode::invalid, Happened::no, "commit: no transaction is open"};
    auto committed = run("COMMIT");
    if (!committed) return committed.error();
    in_transaction_ = false;
    return {};
  }

  Result<void> rollback() override {
    if (!in_transaction_)
      return Error{ErrorCode::invalid, Happened::no, "rollback: no transaction is open"};
    ended_by_.reset();
    in_transaction_ = false;
    // A broken connection, and SQLite after some errors, have rolled back by themselves.
    if (broken_ || already_rolled_back_) {
      already_rolled_back_ = false;
      return {};
    }
    auto rolled_back = run("ROLLBACK");
    if (rolled_back || rolled_back.error().code == ErrorCode::closed) return {};
    broken_ = true;  // nobody knows what state it is in
    return rolled_back.error();
  }

  SqlEngine engine() const override { return pool_->engine(); }

 private:
  void note(const Error& error) {
    if (error.code == ErrorCode::closed || error.code == ErrorCode::protocol) broken_ = true;
    if (!in_transaction_ || !session_->ends_transaction(error)) return;
    ended_by_ = error;
    ended_by_->happened = Happened::no;
    already_rolled_back_ = engine() == SqlEngine::sqlite;
  }

  std::shared_ptr<Pool> pool_;
  std::unique_ptr<SqlSession> session_;
  bool in_transaction_ = false;
  bool broken_ = false;
  bool already_rolled_back_ = false;
  std::optional<Error> ended_by_;  // what every further statement of this transaction returns
};

class PooledSql : public Sql {
 public:
  PooledSql(SqlAddress address, SqlOptions options)
      : pool_(std::make_shared<Pool>(std::move(address), options)) {}

  Result<std::unique_ptr<SqlConnection>> acquire() override {
    auto session = pool_->take();
    if (!session) return session.error();
    return std::make_unique<Lent>(pool_, std::move(*session));
  }
  SqlEngine engine() const override { return pool_->engine(); }

 private:
  std::shared_ptr<Pool> pool_;
};

}  // namespace

std::unique_ptr<Sql> connect_sql(SqlAddress address, SqlOptions options) {
  return std::make_unique<PooledSql>(std::move(address), options);
}

}  // namespace lab::infra
