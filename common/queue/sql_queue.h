#pragma once
// The job queue in a SQL database: SQLite (the embedded backend), MariaDB 10.6 or newer, PostgreSQL. Workers that claim
// at the same time don't wait for each other: SELECT … FOR UPDATE SKIP LOCKED; SQLite lets one write at a time anyway.
// Each call is one transaction, tried again when the database ended it for a deadlock or a serialization failure. A job
// is as safe as a commit is.
//
// A claim that waits is woken by an enqueue of the same JobQueue object; for those of other processes it looks now and
// then (kLook below). A retried or redelivered job takes its old place among those of its priority. counts() counts rows.

#include <string>

#include "infra/event_count.h"
#include "infra/sql.h"
#include "queue/job_queue.h"

namespace lab::queue {

class SqlJobQueue : public JobQueue {
 public:
  static constexpr Nanos kLook = 20ms;

  /// The tables queue_books, queue_jobs and queue_history, where they are not there yet. Not for two programs at the
  /// same time.
  static Result<void> create_tables(infra::Sql& sql);

  /// The pool must outlive the queue.
  explicit SqlJobQueue(infra::Sql& sql, std::string name = "jobs", QueueRules rules = {});

  using JobQueue::complete;
  using JobQueue::enqueue;
  using JobQueue::fail;
  using JobQueue::give_back;
  using JobQueue::renew;

  Result<std::vector<Enqueued>> enqueue(std::span<const NewJob> jobs) override;
  Result<std::vector<LeasedJob>> claim(const Claim& claim) override;
  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override;
  Result<std::vector<bool>> fail(std::span<const Failed> failures) override;
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, Nanos lease) override;
  Result<std::vector<bool>> give_back(std::span<const Receipt> receipts) override;
  Result<bool> progress(const Receipt& receipt, int percent) override;
  Result<std::size_t> sweep(std::size_t most) override;
  Result<JobStatus> status(const std::string& id) override;
  Result<Counts> counts() override;
  Result<std::vector<DeadLetter>> dead_letters(std::size_t most) override;
  Result<bool> redrive(const std::string& id) override;

 private:
  class Transaction;  // one queue's statements on one connection
  template <class Body>
  Result<void> in_transaction(const Body& body);
  template <class T, class Body>
  Result<T> value_in_transaction(const Body& body);
  /// One answer a receipt: what `act` says of it.
  template <class Item, class Act>
  Result<std::vector<bool>> answer_each(std::span<const Item> items, const Act& act);

  infra::Sql& sql_;
  const std::string name_;
  const QueueRules rules_;
  infra::EventCount changed_;  // something may be there to claim
};

}  // namespace lab::queue
