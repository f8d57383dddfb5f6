#pragma once
// What is known of the jobs where the queue keeps no books: the effects that they had, and the dead letters.

#include <cstdint>
#include <map>
#include <optional>

#include "checks.h"
#include "infra/sql.h"
#include "queue/job_queue.h"

namespace queue_retries {

/// A queue without books has nothing left when nobody waits in it and the workers have written nothing for longer than a job
/// can be out of sight: in a delay queue, or in the hands of a worker that is long at it, or gone.
class Silence {
 public:
  explicit Silence(Nanos enough) : enough_(enough) {}
  /// What is seen now; `written`: how much the workers have written down. Has it lasted long enough?
  bool lasts(std::int64_t waiting, std::uint64_t written, lab::Instant at);

 private:
  const Nanos enough_;
  std::uint64_t written_ = 0;
  std::optional<lab::Instant> since_;
};

/// By the job's number.
Result<std::map<std::int64_t, lab::queue::JobStatus>> dead_jobs(lab::queue::JobQueue& queue);

/// How many accepted jobs neither had their effect nor are dead. `sql`: where the provider's effects are.
Result<std::int64_t> jobs_under_way(const Evidence& evidence, lab::queue::JobQueue& queue,
                                    lab::infra::Sql& sql);

}  // namespace queue_retries
