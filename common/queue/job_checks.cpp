#include "queue/job_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace lab::queue {
namespace {

Error invalid(std::string message) {
  return {ErrorCode::invalid, Happened::no, std::move(message)};
}

bool usable(const std::string& name) {
  return name.size() <= 200 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return c > ' ' && c != 127 && c != ':' && c != '{' && c != '}';
         });
}

}  // namespace

Result<void> check_job(const NewJob& job) {
  if (!usable(job.id) || !usable(job.order_key))
    return invalid(
        "a job's id and order key are at most 200 characters, without ':', '{', '}' and spaces");
  if (job.payload.find('\0') != std::string::npos)
    return invalid("a payload is text, without zero bytes");
  if (job.max_attempts < 0) return invalid("a job has at least one attempt");
  if (!job.order_key.empty() && job.delay > Nanos{})
    return invalid("a job with an order key cannot be delayed: it would hold up those behind it");
  return {};
}

Result<void> check_claim(const Claim& claim) {
  if (claim.most == 0 || claim.most > 10'000) return invalid("a claim takes 1 to 10,000 jobs");
  if (claim.lease < 1ms) return invalid("a lease lasts at least a millisecond");
  if (claim.worker.empty()) return invalid("a worker has a name");
  return {};
}

std::string made_id() {
  thread_local std::random_device device;
  const auto bits = [] { return (std::uint64_t{device()} << 32) | device(); };
  return fmt::format("{:016x}{:016x}", bits(), bits());
}

Error no_such_job(const std::string& id) {
  return {ErrorCode::not_found, Happened::no,
          fmt::format("there is no job '{}', or it was completed too long ago", id)};
}

}  // namespace lab::queue
