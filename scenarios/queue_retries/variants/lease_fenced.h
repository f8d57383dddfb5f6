#pragma once
// Each claim has an epoch, a fencing token: the queue compares it and rejects the completion of a worker whose lease was
// taken away. What the worker did the queue cannot reject, so the provider gets the job's id as an idempotency key, which
// it remembers. Retries wait a random part of the exponential delay. Over reliable_lease it adds the fence, and exactly
// one effect: at-least-once delivery, idempotent work.

#include "heartbeat.h"
#include "job_worker.h"

namespace queue_retries {

class LeaseFenced : public JobWorker {
 public:
  explicit LeaseFenced(Tools tools)
      : tools_(std::move(tools)), heartbeat_(tools_.queue, tools_.lease) {}

  Result<std::size_t> work(std::size_t most, Nanos wait) override {
    auto turn = tools_.queue.complete_and_claim(
        done_, {.worker = tools_.name, .most = most, .lease = tools_.lease, .wait = wait});
    if (!turn) return turn.error();
    done_.clear();
    heartbeat_.hold(turn->claimed);
    for (const auto& job : turn->claimed) {
      const auto sent = tools_.provider.send_once(job.payload, job.attempt, job.id);
      if (sent) {
        done_.push_back(job.receipt());
      } else {
        heartbeat_.let_go(job.id);
        (void)tools_.queue.fail(job.receipt(), sent.error().message,
                                tools_.retry.delay(job.id, job.attempt));
      }
    }
    return turn->claimed.size();
  }

  void finish() override { (void)tools_.queue.complete(done_); }

 private:
  Tools tools_;
  Heartbeat heartbeat_;
  /// With the epoch of their claim; told with the next claim.
  std::vector<lab::queue::Receipt> done_;
};

}  // namespace queue_retries
