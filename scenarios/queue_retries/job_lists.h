#pragma once
// The list of pop_and_work, in Redis or in a table.

#include <memory>
#include <string>

#include "infra/redis.h"
#include "infra/sql.h"
#include "job_worker.h"

namespace queue_retries {

/// `waiting`: where pop() waits (BLPOP). Clients must outlive it.
std::unique_ptr<JobList> redis_list(lab::infra::Redis& redis, lab::infra::Redis& waiting,
                                    std::string key);

/// In the table job_list; pop() looks every few milliseconds.
std::unique_ptr<JobList> sql_list(lab::infra::Sql& sql, std::string name);
Result<void> create_list_table(lab::infra::Sql& sql);

}  // namespace queue_retries
