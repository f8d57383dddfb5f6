#pragma once
// The job queues under test.

#include <memory>
#include <string>

#include "queue/job_queue.h"
#include "support.h"

namespace lab::queue::test {

/// Makes queues of one kind; each is new and empty.
class Queues {
 public:
  virtual ~Queues() = default;
  /// `lease`: what its claims will ask for; some know but one.
  virtual std::unique_ptr<JobQueue> make(Nanos lease, QueueRules rules) = 0;
  /// Can a job be put before those that wait?
  virtual bool has_front() const { return true; }
};

/// "redis", "streams", "sqlite", "mariadb", "postgres". Throws when its server cannot be started.
std::unique_ptr<Queues> make_queues(const std::string& kind);

/// What must be installed for this kind.
servers::Installed needed_for(const std::string& kind);

}  // namespace lab::queue::test
