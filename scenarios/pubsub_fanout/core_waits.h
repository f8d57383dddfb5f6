#pragma once
// How long threads were ready to run and had no core, by the kernel's own count: the second number of schedstat. A meter
// beside them is not enough, for a thread that only sleeps is preferred by the scheduler.

#include <map>
#include <vector>

#include "checks.h"

namespace pubsub_fanout {

/// For one thread, whose own waits it counts, too.
class CoreWaits {
 public:
  /// Of the calling thread and of the first threads of these processes. Asks the kernel when it has not done so for a while.
  void look(Nanos at, const std::vector<int>& processes);
  /// Always; the last look of a run.
  void look_now(Nanos at, const std::vector<int>& processes);
  const std::vector<CoreWait>& known() const { return known_; }

 private:
  std::map<int, Nanos> last_;  // of each process; 0: the calling thread
  std::vector<CoreWait> known_;
};

}  // namespace pubsub_fanout
