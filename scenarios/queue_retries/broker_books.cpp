#include "broker_books.h"

#include <algorithm>

#include "observed_queue.h"
#include "providers.h"

namespace queue_retries {

bool Silence::lasts(std::int64_t waiting, std::uint64_t written, lab::Instant at) {
  if (waiting > 0 || written != written_ || !since_) since_ = at;
  written_ = written;
  return at - *since_ > enough_;
}

Result<std::map<std::int64_t, lab::queue::JobStatus>> dead_jobs(lab::queue::JobQueue& queue) {
  constexpr std::size_t all = 1'000'000;
  auto letters = queue.dead_letters(all);
  if (!letters) return letters.error();
  std::map<std::int64_t, lab::queue::JobStatus> dead;
  for (auto& letter : *letters) dead[number_of(letter.id)] = std::move(letter.status);
  return dead;
}

Result<std::int64_t> jobs_under_way(const Evidence& evidence, lab::queue::JobQueue& queue,
                                    lab::infra::Sql& sql) {
  const auto effects = SqlProvider::effects(sql);
  if (!effects) return effects.error();
  const auto without = [&](const std::map<std::int64_t, lab::queue::JobStatus>& dead) {
    return std::count_if(evidence.jobs.begin(), evidence.jobs.end(), [&](const Enqueuing& job) {
      return job.outcome == lab::harness::Outcome::ok && !effects->contains(job.job.number) &&
             !dead.contains(job.job.number);
    });
  };
  auto counts = queue.counts();
  if (!counts) return counts.error();
  // The letters are read one by one: only when they may be all that is left.
  const std::int64_t left = without({});
  if (left > (*counts)[lab::queue::JobState::dead]) return left;
  const auto dead = dead_jobs(queue);
  if (!dead) return dead.error();
  return without(*dead);
}

}  // namespace queue_retries
