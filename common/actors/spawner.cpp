#include "actors/spawner.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace lab::actors {

Spawner::Spawner() : thread_([this] { serve(); }) {}

Spawner::~Spawner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

pid_t Spawner::fork_then(const std::function<void()>& child) {
  const std::lock_guard caller(callers_);
  std::unique_lock lock(mutex_);
  child_ = &child;
  answered_ = false;
  changed_.notify_all();
  changed_.wait(lock, [this] { return answered_; });
  errno = error_;
  return pid_;
}

void Spawner::serve() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // Ctrl-C is for the run's other threads
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || child_; });
    if (stopping_) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      (*child_)();
      ::_exit(127);
    }
    error_ = errno;
    child_ = nullptr;
    answered_ = true;
    changed_.notify_all();
  }
}

Spawner& spawner() {
  static Spawner instance;
  return instance;
}

}  // namespace lab::actors
