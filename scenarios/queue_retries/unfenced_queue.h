#pragma once
// A queue that goes by a job's id alone, like one whose completion is "UPDATE jobs SET done = 1 WHERE id = ?": whoever
// once had the job may say that it is done, also when somebody else works on it by now, or has done it already. Only while
// nobody has it (it waits again, or for its retry) the late one is told that it has lost it: on a queue that knows claims,
// what nobody has claimed cannot be completed, so that this model is a little better than what it stands for.

#include <string>

#include "forwarding_queue.h"

namespace queue_retries {

class UnfencedQueue : public ForwardingQueue {
 public:
  using ForwardingQueue::ForwardingQueue;

  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override {
    auto answers = queue_.complete(receipts);
    if (answers) accept_the_late(receipts, *answers);
    return answers;
  }
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override {
    auto turn = queue_.complete_and_claim(receipts, claim);
    if (turn) accept_the_late(receipts, turn->completed);
    return turn;
  }

 private:
  void accept_the_late(std::span<const Receipt> receipts, std::vector<bool>& answers) {
    for (std::size_t i = 0; i < receipts.size(); ++i)
      answers[i] = answers[i] || is_done(receipts[i].id);
  }
  /// In the name of whoever has it now.
  bool is_done(const std::string& id) {
    using lab::queue::JobState;
    const auto status = queue_.status(id);
    if (!status) return false;
    if (status->state != JobState::active) return status->state == JobState::completed;
    const auto done = queue_.complete(Receipt{id, status->epoch});
    return done && *done;
  }
};

}  // namespace queue_retries
