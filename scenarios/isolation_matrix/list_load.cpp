#include "list_load.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <mutex>
#include <thread>

#include "core/random.h"
#include "core/stop.h"

namespace isolation_matrix {
namespace {

using lab::Failure;
using lab::Random;
using lab::Result;
using lab::infra::SqlConnection;
using lab::judge::List;
using lab::judge::ListOperation;
using lab::judge::Outcome;
using lab::judge::Transaction;

constexpr std::uint64_t kLists = 3;  // at a time: few, so that clients meet

void must(SqlConnection& connection, const std::string& statement,
          std::initializer_list<lab::infra::SqlValue> values = {}) {
  if (auto done = connection.run(statement, values); !done) throw Failure(done.error());
}

std::unique_ptr<SqlConnection> connected(lab::infra::Sql& sql, const IsolationLevel& level) {
  auto connection = sql.acquire();
  if (!connection) throw Failure(connection.error());
  for (const auto& statement : level.prepare()) must(**connection, statement);
  return std::move(*connection);
}

/// A list is the text "1,2,3,": to append is one statement of the database, as the checker wants it.
void make_table(SqlConnection& connection) {
  must(
      connection,
      "CREATE TABLE IF NOT EXISTS lists (id INTEGER PRIMARY KEY, elements VARCHAR(8000) NOT NULL)");
  must(connection, "DELETE FROM lists");
}

List parsed(const std::string& text) {
  List list;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    lab::judge::Element element = 0;
    at = std::from_chars(at, end, element).ptr + 1;
    list.push_back(element);
  }
  return list;
}

Result<void> perform(SqlConnection& connection, ListOperation& operation) {
  const std::int64_t id = std::stoll(operation.key);
  if (operation.kind == ListOperation::Kind::append) {
    static const std::string concat =
        "UPDATE lists SET elements = CONCAT(elements, ?) WHERE id = ?";
    static const std::string bars = "UPDATE lists SET elements = elements || ? WHERE id = ?";
    const bool mariadb = connection.engine() == SqlEngine::mariadb;
    const auto done =
        connection.run(mariadb ? concat : bars, {std::to_string(operation.element) + ",", id});
    if (!done) return done.error();
    if (done->affected != 1) throw Failure(fmt::format("there is no list {} to append to", id));
    return {};
  }
  const auto read = connection.run("SELECT elements FROM lists WHERE id = ?", {id});
  if (!read) return read.error();
  operation.list = parsed(std::get<std::string>(read->rows.at(0).at(0)));
  return {};
}

class Load {
 public:
  Load(lab::infra::Sql& sql, const IsolationLevel& level, const ListLoad& load)
      : sql_(sql), level_(level), load_(load), logs_(load.clients) {}

  std::vector<Transaction> run() {
    const auto first = connected(sql_, level_);
    make_table(*first);
    maker_ = connected(sql_, level_);
    zero_ = lab::now();
    std::vector<std::thread> clients;
    for (std::size_t client = 0; client < load_.clients; ++client)
      clients.emplace_back([this, client] { act(client); });
    for (auto& client : clients) client.join();
    if (failed_) throw Failure(problem_);
    std::vector<Transaction> all;
    for (auto& log : logs_) all.insert(all.end(), log.begin(), log.end());
    all.push_back(carried_out(*first, everything()));
    return all;
  }

 private:
  void act(std::size_t client) {
    try {
      const auto connection = connected(sql_, level_);
      Random random = Random(load_.seed).stream(client);
      while (!is_over()) {
        const std::uint64_t generation = begun_.fetch_add(1) / load_.generation;
        make_lists_of(generation);
        Transaction transaction = planned(generation, random);
        transaction.process = static_cast<std::int64_t>(client);
        logs_[client].push_back(carried_out(*connection, std::move(transaction)));
        committed_ += logs_[client].back().outcome == Outcome::ok;
      }
    } catch (const Failure& failure) {
      if (!failed_.exchange(true)) problem_ = failure.error();
    }
  }

  bool is_over() const {
    const lab::Nanos elapsed = lab::now() - zero_;
    const bool enough = elapsed >= load_.length && committed_ >= load_.fewest;
    return enough || elapsed >= load_.longest || failed_ || lab::stop_requested();
  }

  /// The lists are there, and everybody sees them, before anybody begins a transaction about them.
  void make_lists_of(std::uint64_t generation) {
    const std::lock_guard lock(making_);
    for (; made_ <= generation; ++made_) {
      for (std::uint64_t id = made_ * kLists; id < (made_ + 1) * kLists; ++id)
        make_list(static_cast<std::int64_t>(id));
    }
  }

  /// At SERIALIZABLE even this may be broken off.
  void make_list(std::int64_t id) {
    for (;;) {
      const auto made = maker_->run("INSERT INTO lists (id, elements) VALUES (?, '')", {id});
      if (made) return;
      if (made.error().code != lab::ErrorCode::conflict || lab::now() - zero_ >= load_.longest)
        throw Failure(made.error());
    }
  }

  Transaction planned(std::uint64_t generation, Random& random) {
    Transaction transaction;
    for (std::uint64_t left = 2 + random.below(3); left > 0; --left) {
      const std::string key = std::to_string(generation * kLists + random.below(kLists));
      transaction.operations.push_back(random.chance(0.5)
                                           ? ListOperation::append(key, element_.fetch_add(1))
                                           : ListOperation::read(key, std::nullopt));
    }
    return transaction;
  }

  Transaction everything() const {
    Transaction transaction;
    transaction.process = static_cast<std::int64_t>(load_.clients);
    for (std::uint64_t id = 0; id < made_ * kLists; ++id)
      transaction.operations.push_back(ListOperation::read(std::to_string(id), std::nullopt));
    return transaction;
  }

  Transaction carried_out(SqlConnection& connection, Transaction transaction) const {
    transaction.invoked = (lab::now() - zero_).count();
    const Result<void> done = attempt(connection, transaction);
    transaction.returned = (lab::now() - zero_).count();
    if (done) return transaction;
    (void)connection.rollback();
    if (done.error().code != lab::ErrorCode::conflict) throw Failure(done.error());
    transaction.outcome = Outcome::fail;
    return transaction;
  }

  static Result<void> attempt(SqlConnection& connection, Transaction& transaction) {
    if (auto begun = connection.begin(); !begun) return begun;
    for (auto& operation : transaction.operations) {
      if (auto done = perform(connection, operation); !done) return done;
    }
    return connection.commit();
  }

  lab::infra::Sql& sql_;
  const IsolationLevel& level_;
  const ListLoad load_;
  lab::Instant zero_{};
  std::vector<std::vector<Transaction>> logs_;  // of each client
  std::atomic<std::uint64_t> begun_{0}, committed_{0};
  std::mutex making_;
  std::unique_ptr<SqlConnection> maker_;  // guarded by making_, as is made_
  std::uint64_t made_ = 0;                // generations whose lists are there
  std::atomic<lab::judge::Element> element_{1};
  std::atomic<bool> failed_{false};
  lab::Error problem_;  // of whoever set failed_; read after the threads have ended
};

}  // namespace

std::vector<Transaction> recorded_lists(lab::infra::Sql& sql, const IsolationLevel& level,
                                        const ListLoad& load) {
  return Load(sql, level, load).run();
}

}  // namespace isolation_matrix
