#include "queue/sql_queue_transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "queue/job_checks.h"

namespace lab::queue {
namespace {

using infra::as_integer;
using infra::SqlEngine;
using infra::SqlValue;

/// Rounded up, so that nothing is due too early.
std::int64_t whole_milliseconds(Nanos duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Nanos{})).count();
}

std::string text_of(const SqlValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : std::string();
}

constexpr const char* kOwned = " WHERE queue = ? AND id = ? AND epoch = ? AND state = 'active'";

}  // namespace

/// SQLite's day is a whole number of milliseconds divided by their number in a day: without rounding, one is lost now and
/// then.
std::string SqlJobQueue::Transaction::clock() const {
  switch (sql_.engine()) {
    case SqlEngine::sqlite:
      return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";
    case SqlEngine::mariadb: return "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";
    case SqlEngine::postgres: return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
  }
  return {};
}

std::string SqlJobQueue::Transaction::skip_locked() const {
  return sql_.engine() == SqlEngine::sqlite ? "" : " FOR UPDATE SKIP LOCKED";
}

Result<bool> SqlJobQueue::Transaction::changed(const std::string& statement,
                                               std::initializer_list<SqlValue> values) {
  auto done = sql_.run(statement, values);
  if (!done) return done.error();
  return done->affected > 0;
}

Result<void> SqlJobQueue::Transaction::lock_queue() {
  auto locked = changed("UPDATE queue_books SET next_place = next_place WHERE queue = ?", {queue_});
  if (!locked) return locked.error();
  return {};
}

Result<bool> SqlJobQueue::Transaction::others_of(const std::string& order_key) {
  auto found = sql_.run(
      "SELECT COUNT(*) FROM queue_jobs WHERE queue = ? AND order_key = ?"
      " AND state IN ('waiting', 'scheduled', 'held', 'active')",
      {queue_, order_key});
  if (!found) return found.error();
  return as_integer(found->rows.front()[0]) > 0;
}

/// With the queue locked.
Result<bool> SqlJobQueue::Transaction::insert(const NewJob& job, const std::string& id) {
  auto known = sql_.run("SELECT id FROM queue_jobs WHERE queue = ? AND id = ?", {queue_, id});
  if (!known) return known.error();
  if (!known->rows.empty()) return false;
  const char* state = job.delay > Nanos{} ? "scheduled" : "waiting";
  if (!job.order_key.empty()) {
    auto behind = others_of(job.order_key);
    if (!behind) return behind.error();
    if (*behind) state = "held";
  }
  auto place =
      changed("UPDATE queue_books SET next_place = next_place + 1 WHERE queue = ?", {queue_});
  if (!place) return place.error();
  // One more millisecond: the clock was rounded down.
  const std::int64_t delay = job.delay > Nanos{} ? whole_milliseconds(job.delay) + 1 : 0;
  return changed(
      "INSERT INTO queue_jobs (queue, id, payload, priority, place, state, due_ms, max_attempts,"
      " order_key, epoch, failures, stalls, progress, worker) SELECT ?, ?, ?, ?, next_place, ?, " +
          clock() + " + ?, ?, ?, 0, 0, 0, 0, '' FROM queue_books WHERE queue = ?",
      {queue_, id, job.payload, std::int64_t{static_cast<int>(job.priority)}, std::string(state),
       delay, std::int64_t{job.max_attempts}, job.order_key, queue_});
}

Result<std::vector<LeasedJob>> SqlJobQueue::Transaction::take(const Claim& claim, Instant until) {
  auto due = sql_.run(
      "UPDATE queue_jobs SET state = 'waiting' WHERE queue = ? AND "
      "state = 'scheduled' AND due_ms <= " +
          clock(),
      {queue_});
  if (!due) return due.error();
  auto found = sql_.run(
      "SELECT id, payload, order_key, failures, max_attempts, stalls, epoch FROM queue_jobs"
      " WHERE queue = ? AND state = 'waiting' ORDER BY priority, place LIMIT ?" +
          skip_locked(),
      {queue_, static_cast<std::int64_t>(claim.most)});
  if (!found) return found.error();
  std::vector<LeasedJob> jobs;
  for (const auto& fields : found->rows) {
    LeasedJob job{.id = text_of(fields[0]),
                  .payload = text_of(fields[1]),
                  .order_key = text_of(fields[2]),
                  .attempt = int_of(fields[3]) + 1,
                  .max_attempts = int_of(fields[4]),
                  .stalls = int_of(fields[5]),
                  .epoch = as_integer(fields[6]) + 1,
                  .lease_until = until};
    if (job.max_attempts == 0) job.max_attempts = rules_.max_attempts;
    auto leased = changed(
        "UPDATE queue_jobs SET state = 'active', epoch = epoch + 1, worker = ?,"
        " due_ms = " +
            clock() + " + ? WHERE queue = ? AND id = ?",
        {claim.worker, whole_milliseconds(claim.lease), queue_, job.id});
    if (!leased) return leased.error();
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Result<SqlJobQueue::Transaction::Row> SqlJobQueue::Transaction::row(const std::string& id) {
  auto found = sql_.run(
      "SELECT epoch, failures, stalls, max_attempts, worker, order_key FROM queue_jobs"
      " WHERE queue = ? AND id = ?",
      {queue_, id});
  if (!found) return found.error();
  if (found->rows.empty()) return no_such_job(id);
  const auto& fields = found->rows.front();
  Row row{.epoch = as_integer(fields[0]),
          .failures = int_of(fields[1]),
          .stalls = int_of(fields[2]),
          .max_attempts = int_of(fields[3]),
          .worker = text_of(fields[4]),
          .order_key = text_of(fields[5])};
  if (row.max_attempts == 0) row.max_attempts = rules_.max_attempts;
  return row;
}

/// Is the receipt of the latest claim, and the lease still there? Then the row is this transaction's.
Result<bool> SqlJobQueue::Transaction::settle(const Receipt& receipt) {
  return changed(std::string("UPDATE queue_jobs SET state = 'waiting'").append(kOwned),
                 {queue_, receipt.id, receipt.epoch});
}

/// The first of those held back may run. The queue is locked before it looks, so that it sees every job of the key.
Result<void> SqlJobQueue::Transaction::next_in_order(const std::string& order_key) {
  if (order_key.empty()) return {};
  if (auto locked = lock_queue(); !locked) return locked;
  auto next = sql_.run(
      "SELECT id FROM queue_jobs WHERE queue = ? AND state = 'held' AND order_key = ?"
      " ORDER BY place LIMIT 1",
      {queue_, order_key});
  if (!next) return next.error();
  if (next->rows.empty()) return {};
  auto freed = changed("UPDATE queue_jobs SET state = 'waiting' WHERE queue = ? AND id = ?",
                       {queue_, next->rows.front()[0]});
  if (!freed) return freed.error();
  return {};
}

Result<bool> SqlJobQueue::Transaction::complete(const Receipt& receipt) {
  auto done = changed("UPDATE queue_jobs SET state = 'completed', due_ms = " + clock() + kOwned,
                      {queue_, receipt.id, receipt.epoch});
  if (!done || !*done) return done;
  auto completed = row(receipt.id);
  if (!completed) return completed.error();
  if (auto next = next_in_order(completed->order_key); !next) return next.error();
  return true;
}

Result<void> SqlJobQueue::Transaction::note(const std::string& id, const Row& row, int attempt,
                                            const char* what, const std::string& error) {
  const std::int64_t redrive = std::string_view(what) == "redriven" ? 1 : 0;
  auto noted = sql_.run(
      "INSERT INTO queue_history (queue, id, epoch, redrive, attempt, worker, what, error)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      {queue_, id, row.epoch, redrive, std::int64_t{attempt}, row.worker, std::string(what),
       error});
  if (!noted) return noted.error();
  return {};
}

Result<void> SqlJobQueue::Transaction::bury(const std::string& id, const Row& row) {
  auto buried = changed(
      "UPDATE queue_jobs SET state = 'dead', due_ms = " + clock() + " WHERE queue = ? AND id = ?",
      {queue_, id});
  if (!buried) return buried.error();
  return next_in_order(row.order_key);
}

Result<bool> SqlJobQueue::Transaction::fail(const Failed& failed) {
  const auto& id = failed.receipt.id;
  auto owned = settle(failed.receipt);
  if (!owned || !*owned) return owned;
  auto job = row(id);
  if (!job) return job.error();
  const int failures = job->failures + 1;
  if (auto noted = note(id, *job, failures, "failed", failed.error); !noted) return noted.error();
  const bool later = failed.retry_after > Nanos{};
  auto counted =
      changed("UPDATE queue_jobs SET failures = failures + 1, state = ?, due_ms = " + clock() +
                  " + ? WHERE queue = ? AND id = ?",
              {std::string(later ? "scheduled" : "waiting"),
               later ? whole_milliseconds(failed.retry_after) + 1 : 0, queue_, id});
  if (!counted) return counted.error();
  if (failures < job->max_attempts) return true;
  if (auto buried = bury(id, *job); !buried) return buried.error();
  return true;
}

Result<bool> SqlJobQueue::Transaction::renew(const Receipt& receipt, Nanos lease) {
  return changed("UPDATE queue_jobs SET due_ms = " + clock() + " + ?" + kOwned,
                 {whole_milliseconds(lease), queue_, receipt.id, receipt.epoch});
}

Result<bool> SqlJobQueue::Transaction::give_back(const Receipt& receipt) {
  auto owned = settle(receipt);
  if (!owned || !*owned) return owned;
  auto job = row(receipt.id);
  if (!job) return job.error();
  if (auto noted = note(receipt.id, *job, job->failures + 1, "gave back", ""); !noted)
    return noted.error();
  return true;
}

Result<bool> SqlJobQueue::Transaction::progress(const Receipt& receipt, int percent) {
  return changed(std::string("UPDATE queue_jobs SET progress = ?").append(kOwned),
                 {std::int64_t{percent}, queue_, receipt.id, receipt.epoch});
}

Result<std::size_t> SqlJobQueue::Transaction::sweep(std::size_t most) {
  auto expired = sql_.run(
      "SELECT id FROM queue_jobs WHERE queue = ? AND state = 'active'"
      " AND due_ms < " +
          clock() + " ORDER BY due_ms LIMIT ?" + skip_locked(),
      {queue_, static_cast<std::int64_t>(most)});
  if (!expired) return expired.error();
  for (const auto& fields : expired->rows) {
    const std::string id = text_of(fields[0]);
    auto job = row(id);
    if (!job) return job.error();
    auto freed = changed(
        "UPDATE queue_jobs SET state = 'waiting', stalls = stalls + 1"
        " WHERE queue = ? AND id = ?",
        {queue_, id});
    if (!freed) return freed.error();
    if (auto noted = note(id, *job, job->failures + 1, "stalled", ""); !noted) return noted.error();
    if (job->stalls + 1 <= rules_.max_stalls) continue;
    if (auto buried = bury(id, *job); !buried) return buried.error();
  }
  return expired->rows.size();
}

Result<void> SqlJobQueue::Transaction::forget_completed() {
  auto oldest = sql_.run(
      "SELECT due_ms, place FROM queue_jobs WHERE queue = ? AND state = 'completed'"
      " ORDER BY due_ms DESC, place DESC LIMIT 1 OFFSET ?",
      {queue_, static_cast<std::int64_t>(rules_.keep_completed)});
  if (!oldest) return oldest.error();
  if (oldest->rows.empty()) return {};
  const auto& cut = oldest->rows.front();
  auto gone = sql_.run(
      "DELETE FROM queue_jobs WHERE queue = ? AND state = 'completed'"
      " AND (due_ms < ? OR (due_ms = ? AND place <= ?))",
      {queue_, cut[0], cut[0], cut[1]});
  if (!gone) return gone.error();
  auto counted = changed("UPDATE queue_books SET forgotten = forgotten + ? WHERE queue = ?",
                         {gone->affected, queue_});
  if (!counted) return counted.error();
  auto history = sql_.run(
      "DELETE FROM queue_history WHERE queue = ? AND id NOT IN"
      " (SELECT id FROM queue_jobs WHERE queue = ?)",
      {queue_, queue_});
  if (!history) return history.error();
  return {};
}

Result<bool> SqlJobQueue::Transaction::redrive(const std::string& id) {
  if (auto locked = lock_queue(); !locked) return locked.error();
  auto job = row(id);
  if (!job) return job.error().code == ErrorCode::not_found ? Result<bool>(false) : job.error();
  std::string state = "waiting";
  if (!job->order_key.empty()) {
    auto behind = others_of(job->order_key);
    if (!behind) return behind.error();
    if (*behind) state = "held";
  }
  auto place =
      changed("UPDATE queue_books SET next_place = next_place + 1 WHERE queue = ?", {queue_});
  if (!place) return place.error();
  auto alive = changed(
      "UPDATE queue_jobs SET state = ?, failures = 0, stalls = 0, progress = 0,"
      " place = (SELECT next_place FROM queue_books WHERE queue = ?)"
      " WHERE queue = ? AND id = ? AND state = 'dead'",
      {state, queue_, queue_, id});
  if (!alive || !*alive) return alive;
  if (auto noted = note(id, {.epoch = job->epoch}, 0, "redriven", ""); !noted) return noted.error();
  return true;
}

}  // namespace lab::queue
