#pragma once
// What every queue checks before it asks its server. Not for use outside the room.

#include <string>

#include "queue/job_queue.h"

namespace lab::queue {

/// `invalid` says what is wrong.
Result<void> check_job(const NewJob& job);
Result<void> check_claim(const Claim& claim);

/// Unique: 128 random bits.
std::string made_id();

Error no_such_job(const std::string& id);

}  // namespace lab::queue
