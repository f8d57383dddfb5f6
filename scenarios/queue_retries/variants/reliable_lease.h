#pragma once
// The job stays in the queue, under a lease, until it is done: a worker that dies loses its lease, and the job goes to
// another. A heartbeat renews the lease of a long job. Retries wait exponentially longer. Over ack_first it adds that
// nothing is lost; but what was done just before a crash, or by a worker that slept past its lease, is done twice. Its
// queue goes by the job's id (UnfencedQueue): a worker that comes too late completes what somebody else works on.

#include "heartbeat.h"
#include "job_worker.h"

namespace queue_retries {

class ReliableLease : public JobWorker {
 public:
  explicit ReliableLease(Tools tools)
      : tools_(std::move(tools)), heartbeat_(tools_.queue, tools_.lease) {}

  Result<std::size_t> work(std::size_t most, Nanos wait) override {
    auto turn = tools_.queue.complete_and_claim(
        done_, {.worker = tools_.name, .most = most, .lease = tools_.lease, .wait = wait});
    if (!turn) return turn.error();
    done_.clear();
    heartbeat_.hold(turn->claimed);
    for (const auto& job : turn->claimed) {
      const auto sent = tools_.provider.send(job.payload, job.attempt);  // not for the first time?
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
  std::vector<lab::queue::Receipt> done_;  // told with the next claim, in one round trip
};

}  // namespace queue_retries
