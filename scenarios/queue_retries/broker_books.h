#pragma once
// What is known of the jobs where the queue keeps no books: the effects that they had, and the dead letters.

#include <cstdint>
#include <map>

#include "checks.h"
#include "infra/sql.h"
#include "queue/job_queue.h"

namespace queue_retries {

/// By the job's number.
Result<std::map<std::int64_t, lab::queue::JobStatus>> dead_jobs(lab::queue::JobQueue& queue);

/// How many accepted jobs neither had their effect nor are dead. `sql`: where the provider's effects are.
Result<std::int64_t> jobs_under_way(const Evidence& evidence, lab::queue::JobQueue& queue,
                                    lab::infra::Sql& sql);

}  // namespace queue_retries
