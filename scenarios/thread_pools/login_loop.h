#pragma once
// An API server's loop: one thread that takes logins and other requests in turn. A login is handed to the pool; if that turns it
// away, the loop offers it again later (a client would be told 503, and come back).

#include <vector>

#include "core_wait.h"
#include "evidence.h"
#include "task_log.h"
#include "watchdog.h"
#include "workload.h"

namespace thread_pools {

/// On the thread that made it. run() once.
class LoginLoop {
 public:
  /// `close` shuts the pool down: under that fault it is called amid the load, on a thread of its own.
  LoginLoop(const Orders& orders, Pool& pool, TaskLog& log, Watchdog& dog,
            std::function<void()> close);

  /// Until all logins are done, or the pool has closed.
  void run();

  /// The other requests while logins were under way, by when they were due.
  const std::vector<Bystander>& bystanders() const { return bystanders_; }
  Nanos one_hash() const { return one_hash_; }

 private:
  void sleep_until(Nanos next);
  void offer();
  void answer(Nanos planned);
  void log_in(std::size_t number);
  std::size_t due(Nanos elapsed) const;

  const Orders& orders_;
  Pool& pool_;
  TaskLog& log_;
  Watchdog& dog_;
  const std::function<void()> close_;
  Nanos one_hash_{};
  Nanos begin_{};
  CoreWait core_wait_;
  std::size_t accepted_ = 0;
  std::vector<Bystander> bystanders_;
};

}  // namespace thread_pools
