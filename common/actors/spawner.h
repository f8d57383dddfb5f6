#pragma once
// Where actors are forked: on one thread that lives as long as the run. The kernel ties PR_SET_PDEATHSIG to the thread
// that forked, and would kill the children of any other thread when that one ends. Not for use outside the room.

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace lab::actors {

/// Thread-safe.
class Spawner {
 public:
  Spawner();
  ~Spawner();  // its children are killed with its thread

  /// Forks; `child` runs in the new process and must not return. It is one thread of many that was copied: only
  /// async-signal-safe calls. Returns the child's process id, or -1 with errno set.
  pid_t fork_then(const std::function<void()>& child);

 private:
  void serve();

  std::mutex callers_;  // one at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* child_ = nullptr;  // guarded by mutex_, as are the others
  bool answered_ = false;
  bool stopping_ = false;
  pid_t pid_ = 0;
  int error_ = 0;
  std::thread thread_;  // last
};

/// The process's own; its thread begins with the first use.
Spawner& spawner();

}  // namespace lab::actors
