#pragma once
// What this scenario compares: how a worker takes a job, has it done, and tells the queue.

#include <string>
#include <string_view>
#include <vector>

#include "queue/job_queue.h"
#include "queue/retry_policy.h"

namespace queue_retries {

using lab::Error;
using lab::Nanos;
using lab::Result;

/// Who does what a job asks for: sends the e-mail, captures the payment. One call in five fails, without an effect.
class Provider {
 public:
  virtual ~Provider() = default;
  /// Every call that succeeds has an effect of its own.
  virtual Result<void> send(std::string_view payload, int attempt) = 0;
  /// The provider remembers the key: a second call with it succeeds and has no effect.
  virtual Result<void> send_once(std::string_view payload, int attempt, std::string_view key) = 0;
};

/// For one thread. What it was given by the queue it owns until it has told the queue, or its lease has run out.
class JobWorker {
 public:
  virtual ~JobWorker() = default;

  /// Takes up to `most` jobs, waits for the first one at most that long, and sees each through. How many it had. An error
  /// is the queue's: the call may be repeated.
  virtual Result<std::size_t> work(std::size_t most, Nanos wait) = 0;
  /// It is asked to stop: tells the queue what it has not told yet.
  virtual void finish() {}
};

/// A queue as it is most often written first: a list. Thread-safe.
class JobList {
 public:
  struct Item {
    std::string payload;
    int attempt = 1;
  };
  virtual ~JobList() = default;
  virtual Result<void> push(const std::vector<Item>& items) = 0;
  /// Removes and returns the oldest, at most so many; waits for the first one.
  virtual Result<std::vector<Item>> pop(std::size_t most, Nanos wait) = 0;
  virtual Result<std::size_t> size() = 0;
};

/// What a worker is made of. References outlive it.
struct Tools {
  lab::queue::JobQueue& queue;
  JobList& list;
  Provider& provider;
  lab::queue::RetryPolicy retry;
  std::string name;  // of the worker
  Nanos lease{};
  int max_attempts = 5;
};

}  // namespace queue_retries
