#pragma once
// Naive: pop a job from a list, then do it. From the pop on it exists in this worker's memory only. A job that failed
// is pushed again, at once.

#include "job_worker.h"

namespace queue_retries {

class PopAndWork : public JobWorker {
 public:
  explicit PopAndWork(Tools tools) : tools_(std::move(tools)) {}

  Result<std::size_t> work(std::size_t most, Nanos wait) override {
    auto items = tools_.list.pop(most, wait);  // a crash from here on loses them
    if (!items) return items.error();
    for (auto& [payload, attempt] : *items) {
      if (tools_.provider.send(payload, attempt) || attempt >= tools_.max_attempts) continue;
      if (auto pushed = tools_.list.push({{payload, attempt + 1}}); !pushed) return pushed.error();
    }
    return items->size();
  }

 private:
  Tools tools_;
};

}  // namespace queue_retries
