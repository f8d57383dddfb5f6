#include "observed_queue.h"

#include <charconv>

namespace queue_retries {

using lab::harness::Operation;
using lab::harness::Outcome;
using lab::queue::LeasedJob;

std::vector<std::string> crash_points() {
  return {kAfterClaim, kMidWork, kAfterEffect, kAfterAck};
}

std::int64_t number_of(std::string_view id) {
  std::int64_t number = 0;
  const auto dash = id.find('-');
  if (dash != std::string_view::npos)
    std::from_chars(id.data() + dash + 1, id.data() + id.size(), number);
  return number;
}

void Recorder::begin(Kind kind, std::int64_t job, std::int64_t value, std::int64_t aux) {
  under_way_ = {.key = job, .value = value, .aux = aux, .client = worker_, .kind = kind};
  log_.invoked(under_way_);
}

void Recorder::end(Outcome outcome) {
  under_way_.outcome = outcome;
  log_.returned(under_way_);
}

void Recorder::note(Kind kind, std::int64_t job, std::int64_t value, std::int64_t aux) {
  begin(kind, job, value, aux);
  end(Outcome::ok);
}

void ObservedQueue::note_claimed(const std::vector<LeasedJob>& jobs) {
  for (const auto& job : jobs) recorder_.note(kClaim, number_of(job.id), job.epoch, job.attempt);
}

void ObservedQueue::note_completed(std::span<const Receipt> receipts,
                                   const std::vector<bool>& accepted) {
  for (std::size_t i = 0; i < receipts.size(); ++i)
    recorder_.note(kComplete, number_of(receipts[i].id), receipts[i].epoch, accepted[i] ? 1 : 0);
}

Result<std::vector<LeasedJob>> ObservedQueue::claim(const Claim& claim) {
  auto jobs = queue_.claim(claim);
  if (!jobs) return jobs;
  note_claimed(*jobs);
  if (!jobs->empty()) recorder_.pass(kAfterClaim);
  return jobs;
}

Result<std::vector<bool>> ObservedQueue::complete(std::span<const Receipt> receipts) {
  auto accepted = queue_.complete(receipts);
  if (!accepted) return accepted;
  note_completed(receipts, *accepted);
  if (!receipts.empty()) recorder_.pass(kAfterAck);
  return accepted;
}

/// Who dies after the acknowledgement has claims in hand already: they are written down first.
Result<ObservedQueue::Turn> ObservedQueue::complete_and_claim(std::span<const Receipt> receipts,
                                                              const Claim& claim) {
  auto turn = queue_.complete_and_claim(receipts, claim);
  if (!turn) return turn;
  note_completed(receipts, turn->completed);
  note_claimed(turn->claimed);
  if (!receipts.empty()) recorder_.pass(kAfterAck);
  if (!turn->claimed.empty()) recorder_.pass(kAfterClaim);
  return turn;
}

/// One by one, so that each has its own beginning: from then on its retry may wait.
Result<std::vector<bool>> ObservedQueue::fail(std::span<const lab::queue::Failed> failures) {
  std::vector<bool> accepted;
  for (const auto& failed : failures) {
    recorder_.begin(kFail, number_of(failed.receipt.id), failed.receipt.epoch,
                    failed.retry_after.count());
    auto answer = queue_.fail(std::span(&failed, 1));
    recorder_.end(!answer           ? lab::harness::outcome_of(answer.error())
                  : answer->front() ? Outcome::ok
                                    : Outcome::fail);
    if (!answer) return answer.error();
    accepted.push_back(answer->front());
  }
  return accepted;
}

Result<std::vector<JobList::Item>> ObservedList::pop(std::size_t most, Nanos wait) {
  auto items = list_.pop(most, wait);
  if (!items || items->empty()) return items;
  for (const auto& item : *items) {
    const auto job = decode(item.payload);
    recorder_.note(kClaim, job ? job->number : 0, 0, item.attempt);
  }
  recorder_.pass(kAfterClaim);
  return items;
}

}  // namespace queue_retries
