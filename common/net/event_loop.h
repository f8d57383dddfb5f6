#pragma once
// One thread that waits for many sockets: epoll, timers, and a moment at the end of each turn, when all that was ready has
// been seen to. That moment is why this is not Asio: what a turn's messages owe to a socket goes out in one write there.

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "core/clock.h"

namespace lab::net {

/// For one thread; stop() alone may be called from any. Descriptors stay their watchers'.
class EventLoop {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. Level-triggered. It may forget itself and others.
    virtual void on_events(std::uint32_t events) = 0;
  };
  using TimerId = std::pair<Instant, std::uint64_t>;

  EventLoop();  // throws Failure when there are no descriptors
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Throws Failure when the kernel refuses.
  void watch(int descriptor, std::uint32_t events, Watcher& watcher);
  void change(int descriptor, std::uint32_t events, Watcher& watcher);
  /// Before the descriptor is closed. What this turn still held for the watcher is dropped.
  void forget(int descriptor, Watcher& watcher);

  TimerId at(Instant when, std::function<void()> act);
  TimerId after(Nanos delay, std::function<void()> act) {
    return at(now() + delay, std::move(act));
  }
  void cancel(const TimerId& timer) { timers_.erase(timer); }

  /// Once, at the end of the turn that is under way. What is asked for meanwhile comes in the same turn.
  void at_turn_end(std::function<void()> act) { endings_.push_back(std::move(act)); }

  /// Waits for something to do, no longer than that, and does it.
  void turn(Nanos at_most);
  /// Turns until stop(), or until the process is asked to stop (core/stop.h).
  void run();
  void stop();

 private:
  void finish_turn();

  static constexpr std::size_t kEvents = 512;  // seen to in one turn

  int epoll_ = -1;
  int wake_ = -1;
  std::array<epoll_event, kEvents> ready_;
  std::size_t next_ = 0, count_ = 0;  // of ready_, in the turn that is under way
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t timers_made_ = 0;
  std::vector<std::function<void()>> endings_;
  std::atomic<bool> stopping_{false};
};

}  // namespace lab::net
