#pragma once
// One queue's statements inside one transaction. Not for use outside the room.
//
// States of a row: 'waiting'; 'scheduled' until due_ms; 'held' behind another job of its order key; 'active' until due_ms;
// 'completed' at due_ms; 'dead' since due_ms. Times are the database's own, in milliseconds since 1970.

#include <string>

#include "infra/sql.h"
#include "queue/job_queue.h"
#include "queue/sql_queue.h"

namespace lab::queue {

inline int int_of(const infra::SqlValue& value) {
  return static_cast<int>(infra::as_integer(value));
}

class SqlJobQueue::Transaction {
 public:
  Transaction(infra::SqlConnection& sql, const std::string& queue, const QueueRules& rules)
      : sql_(sql), queue_(queue), rules_(rules) {}

  /// One at a time from here to the commit: for what must see all jobs of the queue.
  Result<void> lock_queue();
  Result<bool> insert(const NewJob& job, const std::string& id);

  Result<std::vector<LeasedJob>> take(const Claim& claim, Instant until);

  Result<bool> complete(const Receipt& receipt);
  Result<bool> fail(const Failed& failed);
  Result<bool> renew(const Receipt& receipt, Nanos lease);
  Result<bool> give_back(const Receipt& receipt);
  Result<bool> progress(const Receipt& receipt, int percent);

  Result<std::size_t> sweep(std::size_t most);
  Result<void> forget_completed();
  Result<bool> redrive(const std::string& id);

  Result<JobStatus> status(const std::string& id);
  Result<Counts> counts();
  Result<std::vector<DeadLetter>> dead_letters(std::size_t most);

 private:
  struct Row {
    std::int64_t epoch = 0;
    int failures = 0, stalls = 0, max_attempts = 0;
    std::string worker, order_key;
  };
  Result<bool> changed(const std::string& statement, std::initializer_list<infra::SqlValue> values);
  Result<Row> row(const std::string& id);
  Result<bool> settle(const Receipt& receipt);
  Result<bool> others_of(const std::string& order_key);
  Result<void> next_in_order(const std::string& order_key);
  Result<void> bury(const std::string& id, const Row& row);
  Result<void> note(const std::string& id, const Row& row, int attempt, const char* what,
                    const std::string& error);
  std::string clock() const;
  std::string skip_locked() const;

  infra::SqlConnection& sql_;
  const std::string& queue_;
  const QueueRules& rules_;
};

}  // namespace lab::queue
