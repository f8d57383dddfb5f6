#pragma once
// A queue that keeps books: who has a job, how often it was tried, which are dead. But the job is acknowledged as soon
// as it is received ("automatic acknowledgement"), so the queue forgets it before it is done. Over pop_and_work it adds
// the books and a fixed wait before a retry, which it has to enqueue by itself.

#include "job_worker.h"

namespace queue_retries {

class AckFirst : public JobWorker {
 public:
  explicit AckFirst(Tools tools) : tools_(std::move(tools)) {}

  Result<std::size_t> work(std::size_t most, Nanos wait) override {
    auto jobs = tools_.queue.claim(
        {.worker = tools_.name, .most = most, .lease = tools_.lease, .wait = wait});
    if (!jobs) return jobs.error();
    std::vector<lab::queue::Receipt> receipts;
    for (const auto& job : *jobs) receipts.push_back(job.receipt());
    auto told = tools_.queue.complete(receipts);  // too early: a crash from here on loses them
    if (!told) return told.error();
    for (std::size_t i = 0; i < jobs->size(); ++i) {
      if (!(*told)[i]) continue;  // somebody else's by now
      const auto& job = (*jobs)[i];
      const int attempt = tries_before(job.id) + 1;
      if (tools_.provider.send(job.payload, attempt) || attempt >= job.max_attempts) continue;
      auto again = tools_.queue.enqueue({.id = first_id(job.id) + "." + std::to_string(attempt),
                                         .payload = job.payload,
                                         .delay = tools_.retry.delay(job.id, attempt)});
      if (!again) return again.error();
    }
    return jobs->size();
  }

 private:
  static std::string first_id(const std::string& id) { return id.substr(0, id.find('.')); }
  static int tries_before(const std::string& id) {
    const auto dot = id.find('.');
    return dot == std::string::npos ? 0 : std::stoi(id.substr(dot + 1));
  }

  Tools tools_;
};

}  // namespace queue_retries
