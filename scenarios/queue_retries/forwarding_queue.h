#pragma once
// A queue that is another one: what stands between a worker and its queue overrides the calls that it is about.

#include "queue/job_queue.h"

namespace queue_retries {

/// As thread-safe as its queue, which outlives it.
class ForwardingQueue : public lab::queue::JobQueue {
 public:
  using Claim = lab::queue::Claim;
  using Receipt = lab::queue::Receipt;
  using LeasedJob = lab::queue::LeasedJob;
  template <class T>
  using Result = lab::Result<T>;

  explicit ForwardingQueue(lab::queue::JobQueue& queue) : queue_(queue) {}

  Result<std::vector<lab::queue::Enqueued>> enqueue(
      std::span<const lab::queue::NewJob> jobs) override {
    return queue_.enqueue(jobs);
  }
  Result<std::vector<LeasedJob>> claim(const Claim& claim) override { return queue_.claim(claim); }
  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override {
    return queue_.complete(receipts);
  }
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override {
    return queue_.complete_and_claim(receipts, claim);
  }
  Result<std::vector<bool>> fail(std::span<const lab::queue::Failed> failures) override {
    return queue_.fail(failures);
  }
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, lab::Nanos lease) override {
    return queue_.renew(receipts, lease);
  }
  Result<std::vector<bool>> give_back(std::span<const Receipt> receipts) override {
    return queue_.give_back(receipts);
  }
  Result<bool> progress(const Receipt& receipt, int percent) override {
    return queue_.progress(receipt, percent);
  }
  Result<std::size_t> sweep(std::size_t most) override { return queue_.sweep(most); }
  Result<lab::queue::JobStatus> status(const std::string& id) override { return queue_.status(id); }
  Result<lab::queue::Counts> counts() override { return queue_.counts(); }
  Result<std::vector<lab::queue::DeadLetter>> dead_letters(std::size_t most) override {
    return queue_.dead_letters(most);
  }
  Result<bool> redrive(const std::string& id) override { return queue_.redrive(id); }

 protected:
  lab::queue::JobQueue& queue_;
};

}  // namespace queue_retries
