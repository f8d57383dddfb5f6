// What can be asked about jobs.

#include "queue/job_checks.h"
#include "queue/sql_queue_transaction.h"

namespace lab::queue {
namespace {

using infra::as_integer;

JobState state_from(const std::string& word, bool due, int failures) {
  if (word == "active") return JobState::active;
  if (word == "completed") return JobState::completed;
  if (word == "dead") return JobState::dead;
  if (word != "scheduled" || due) return JobState::waiting;
  return failures > 0 ? JobState::failed : JobState::delayed;
}

}  // namespace

Result<JobStatus> SqlJobQueue::Transaction::status(const std::string& id) {
  auto found = sql_.run("SELECT state, CASE WHEN due_ms <= " + clock() +
                            " THEN 1 ELSE 0 END, failures, max_attempts, stalls, epoch, progress"
                            " FROM queue_jobs WHERE queue = ? AND id = ?",
                        {queue_, id});
  if (!found) return found.error();
  if (found->rows.empty()) return no_such_job(id);
  const auto& fields = found->rows.front();
  JobStatus status;
  status.state =
      state_from(std::get<std::string>(fields[0]), as_integer(fields[1]) == 1, int_of(fields[2]));
  status.attempts = int_of(fields[2]) + (status.state == JobState::completed ? 1 : 0);
  status.max_attempts = int_of(fields[3]) > 0 ? int_of(fields[3]) : rules_.max_attempts;
  status.stalls = int_of(fields[4]);
  status.epoch = as_integer(fields[5]);
  status.progress_percent = int_of(fields[6]);
  auto history = sql_.run(
      "SELECT epoch, attempt, worker, what, error FROM queue_history WHERE queue = ? AND id = ?"
      " ORDER BY epoch, redrive",
      {queue_, id});
  if (!history) return history.error();
  for (const auto& entry : history->rows) {
    status.history.push_back({as_integer(entry[0]), int_of(entry[1]),
                              std::get<std::string>(entry[2]), std::get<std::string>(entry[3]),
                              std::get<std::string>(entry[4])});
    if (status.history.back().what == "failed") status.last_error = status.history.back().error;
  }
  return status;
}

Result<Counts> SqlJobQueue::Transaction::counts() {
  Counts counts;
  for (const auto state : {JobState::waiting, JobState::active, JobState::delayed,
                           JobState::completed, JobState::failed, JobState::dead})
    counts[state] = 0;
  auto found = sql_.run(
      "SELECT state, COUNT(*), SUM(CASE WHEN failures > 0 THEN 1 ELSE 0 END) FROM queue_jobs"
      " WHERE queue = ? GROUP BY state",
      {queue_});
  if (!found) return found.error();
  for (const auto& fields : found->rows) {
    const auto& state = std::get<std::string>(fields[0]);
    const auto all = as_integer(fields[1]), tried = as_integer(fields[2]);
    counts[state_from(state, false, 0)] += state == "scheduled" ? all - tried : all;
    if (state == "scheduled") counts[JobState::failed] += tried;
  }
  auto forgotten = sql_.run("SELECT forgotten FROM queue_books WHERE queue = ?", {queue_});
  if (!forgotten) return forgotten.error();
  if (!forgotten->rows.empty())
    counts[JobState::completed] += as_integer(forgotten->rows.front()[0]);
  return counts;
}

Result<std::vector<DeadLetter>> SqlJobQueue::Transaction::dead_letters(std::size_t most) {
  auto found = sql_.run(
      "SELECT id, payload FROM queue_jobs WHERE queue = ? AND state = 'dead'"
      " ORDER BY due_ms, place LIMIT ?",
      {queue_, static_cast<std::int64_t>(most)});
  if (!found) return found.error();
  std::vector<DeadLetter> letters;
  for (const auto& fields : found->rows) {
    DeadLetter letter{std::get<std::string>(fields[0]), std::get<std::string>(fields[1]), {}};
    auto about = status(letter.id);
    if (!about) return about.error();
    letter.status = std::move(*about);
    letters.push_back(std::move(letter));
  }
  return letters;
}

}  // namespace lab::queue
