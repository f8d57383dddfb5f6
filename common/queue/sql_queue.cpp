#include "queue/sql_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "queue/job_checks.h"
#include "queue/sql_queue_transaction.h"

namespace lab::queue {
namespace {

using infra::SqlConnection;

constexpr int kTries = 20;  // of a transaction that the database ended for another's sake

// VARCHAR lengths keep MariaDB's index keys within InnoDB's 3,072 bytes.
constexpr const char* kTables[] = {
    R"(CREATE TABLE IF NOT EXISTS queue_books (
  queue VARCHAR(64) NOT NULL PRIMARY KEY,
  next_place BIGINT NOT NULL,
  forgotten BIGINT NOT NULL
))",
    R"(CREATE TABLE IF NOT EXISTS queue_jobs (
  queue VARCHAR(64) NOT NULL,
  id VARCHAR(200) NOT NULL,
  payload TEXT NOT NULL,
  priority BIGINT NOT NULL,
  place BIGINT NOT NULL,
  state VARCHAR(10) NOT NULL,
  due_ms BIGINT NOT NULL,
  max_attempts BIGINT NOT NULL,
  order_key VARCHAR(200) NOT NULL,
  epoch BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  stalls BIGINT NOT NULL,
  progress BIGINT NOT NULL,
  worker VARCHAR(200) NOT NULL,
  PRIMARY KEY (queue, id)
))",
    R"(CREATE TABLE IF NOT EXISTS queue_history (
  queue VARCHAR(64) NOT NULL,
  id VARCHAR(200) NOT NULL,
  epoch BIGINT NOT NULL,
  redrive BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  worker VARCHAR(200) NOT NULL,
  what VARCHAR(10) NOT NULL,
  error TEXT NOT NULL,
  PRIMARY KEY (queue, id, epoch, redrive)
))",
    "CREATE INDEX IF NOT EXISTS queue_jobs_by_turn ON queue_jobs (queue, state, priority, place)",
    "CREATE INDEX IF NOT EXISTS queue_jobs_by_time ON queue_jobs (queue, state, due_ms, place)",
    "CREATE INDEX IF NOT EXISTS queue_jobs_by_key ON queue_jobs (queue, order_key, state)",
};

}  // namespace

Result<void> SqlJobQueue::create_tables(infra::Sql& sql) {
  for (const char* statement : kTables) {
    if (auto made = sql.run(statement); !made) return made.error();
  }
  return {};
}

SqlJobQueue::SqlJobQueue(infra::Sql& sql, std::string name, QueueRules rules)
    : sql_(sql), name_(std::move(name)), rules_(rules) {}

template <class Body>
Result<void> SqlJobQueue::in_transaction(const Body& body) {
  for (int tries = 1;; ++tries) {
    auto done = sql_.transaction([&](SqlConnection& connection) {
      Transaction transaction(connection, name_, rules_);
      return body(transaction);
    });
    if (done || done.error().code != ErrorCode::conflict || tries == kTries) return done;
    std::this_thread::sleep_for(tries * 1ms);
  }
}

template <class T, class Body>
Result<T> SqlJobQueue::value_in_transaction(const Body& body) {
  T value{};
  auto done = in_transaction([&](Transaction& transaction) -> Result<void> {
    auto read = body(transaction);
    if (!read) return read.error();
    value = std::move(*read);
    return {};
  });
  if (!done) return done.error();
  return value;
}

template <class Item, class Act>
Result<std::vector<bool>> SqlJobQueue::answer_each(std::span<const Item> items, const Act& act) {
  std::vector<bool> answers;
  if (items.empty()) return answers;
  auto done = in_transaction([&](Transaction& transaction) -> Result<void> {
    answers.clear();
    for (const auto& item : items) {
      auto answer = act(transaction, item);
      if (!answer) return answer.error();
      answers.push_back(*answer);
    }
    return {};
  });
  if (!done) return done.error();
  return answers;
}

Result<std::vector<Enqueued>> SqlJobQueue::enqueue(std::span<const NewJob> jobs) {
  std::vector<Enqueued> enqueued;
  for (const auto& job : jobs) {
    if (auto fine = check_job(job); !fine) return fine.error();
    enqueued.push_back({job.id.empty() ? made_id() : job.id});
  }
  if (jobs.empty()) return enqueued;
  // Alone, because a transaction that met a duplicate is over on PostgreSQL.
  const bool own_upsert = sql_.engine() == infra::SqlEngine::mariadb;
  auto book =
      sql_.run(own_upsert ? "INSERT IGNORE INTO queue_books VALUES (?, 0, 0)"
                          : "INSERT INTO queue_books VALUES (?, 0, 0) ON CONFLICT DO NOTHING",
               {name_});
  if (!book) return book.error();
  auto done = in_transaction([&](Transaction& transaction) -> Result<void> {
    if (auto locked = transaction.lock_queue(); !locked) return locked;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      auto added = transaction.insert(jobs[i], enqueued[i].id);
      if (!added) return added.error();
      enqueued[i].added = *added;
    }
    return {};
  });
  if (!done) return done.error();
  changed_.notify_all();
  return enqueued;
}

Result<std::vector<LeasedJob>> SqlJobQueue::claim(const Claim& claim) {
  if (auto fine = check_claim(claim); !fine) return fine.error();
  for (const Instant end = now() + claim.wait;;) {
    const auto seen = changed_.count();
    auto jobs = value_in_transaction<std::vector<LeasedJob>>(
        [&](Transaction& transaction) { return transaction.take(claim, now() + claim.lease); });
    const Nanos left = end - now();
    if (!jobs || !jobs->empty() || left <= Nanos{}) return jobs;
    changed_.wait(seen, infra::Deadline(std::min(left, kLook)));
  }
}

Result<std::vector<bool>> SqlJobQueue::complete(std::span<const Receipt> receipts) {
  return answer_each(receipts, [](Transaction& transaction, const Receipt& receipt) {
    return transaction.complete(receipt);
  });
}

Result<std::vector<bool>> SqlJobQueue::fail(std::span<const Failed> failures) {
  return answer_each(failures, [](Transaction& transaction, const Failed& failed) {
    return transaction.fail(failed);
  });
}

Result<std::vector<bool>> SqlJobQueue::renew(std::span<const Receipt> receipts, Nanos lease) {
  return answer_each(receipts, [lease](Transaction& transaction, const Receipt& receipt) {
    return transaction.renew(receipt, lease);
  });
}

Result<std::vector<bool>> SqlJobQueue::give_back(std::span<const Receipt> receipts) {
  auto answers = answer_each(receipts, [](Transaction& transaction, const Receipt& receipt) {
    return transaction.give_back(receipt);
  });
  changed_.notify_all();
  return answers;
}

Result<bool> SqlJobQueue::progress(const Receipt& receipt, int percent) {
  auto answers =
      answer_each(std::span(&receipt, 1), [percent](Transaction& transaction, const Receipt& one) {
        return transaction.progress(one, percent);
      });
  if (!answers) return answers.error();
  return bool{answers->front()};
}

Result<std::size_t> SqlJobQueue::sweep(std::size_t most) {
  std::size_t swept = 0;
  auto done = in_transaction([&](Transaction& transaction) -> Result<void> {
    auto freed = transaction.sweep(most);
    if (!freed) return freed.error();
    swept = *freed;
    return transaction.forget_completed();
  });
  if (!done) return done.error();
  if (swept > 0) changed_.notify_all();
  return swept;
}

Result<JobStatus> SqlJobQueue::status(const std::string& id) {
  return value_in_transaction<JobStatus>(
      [&](Transaction& transaction) { return transaction.status(id); });
}

Result<Counts> SqlJobQueue::counts() {
  return value_in_transaction<Counts>(
      [](Transaction& transaction) { return transaction.counts(); });
}

Result<std::vector<DeadLetter>> SqlJobQueue::dead_letters(std::size_t most) {
  return value_in_transaction<std::vector<DeadLetter>>(
      [&](Transaction& transaction) { return transaction.dead_letters(most); });
}

Result<bool> SqlJobQueue::redrive(const std::string& id) {
  auto answers = answer_each(
      std::span(&id, 1),
      [](Transaction& transaction, const std::string& one) { return transaction.redrive(one); });
  changed_.notify_all();
  if (!answers) return answers.error();
  return bool{answers->front()};
}

}  // namespace lab::queue
