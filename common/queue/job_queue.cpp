#include "queue/job_queue.h"

namespace lab::queue {
namespace {

/// The only answer of a batch of one.
template <class T>
Result<T> only(Result<std::vector<T>> answers) {
  if (!answers) return answers.error();
  return T(std::move(answers->front()));
}

}  // namespace

std::string_view name(JobState state) {
  switch (state) {
    case JobState::waiting: return "waiting";
    case JobState::active: return "active";
    case JobState::delayed: return "delayed";
    case JobState::completed: return "completed";
    case JobState::failed: return "failed";
    case JobState::dead: return "dead";
  }
  return "?";
}

Result<JobQueue::Turn> JobQueue::complete_and_claim(std::span<const Receipt> receipts,
                                                    const Claim& wanted) {
  auto completed = complete(receipts);
  if (!completed) return completed.error();
  auto claimed = claim(wanted);
  if (!claimed) return claimed.error();
  return Turn{std::move(*completed), std::move(*claimed)};
}

Result<Enqueued> JobQueue::enqueue(const NewJob& job) {
  return only(enqueue(std::span(&job, 1)));
}

Result<bool> JobQueue::complete(const Receipt& receipt) {
  return only(complete(std::span(&receipt, 1)));
}

Result<bool> JobQueue::fail(const Receipt& receipt, std::string_view error, Nanos retry_after) {
  const Failed failed{receipt, std::string(error), retry_after};
  return only(fail(std::span(&failed, 1)));
}

Result<bool> JobQueue::renew(const Receipt& receipt, Nanos lease) {
  return only(renew(std::span(&receipt, 1), lease));
}

Result<bool> JobQueue::give_back(const Receipt& receipt) {
  return only(give_back(std::span(&receipt, 1)));
}

}  // namespace lab::queue
