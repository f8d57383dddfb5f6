#include "net/event_loop.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/result.h"
#include "core/stop.h"

namespace lab::net {
namespace {

constexpr Nanos kLookForStop = 20ms;

[[noreturn]] void fail(const char* what) {
  throw Failure(
      Error{ErrorCode::exhausted, Happened::no, fmt::format("{}: {}", what, std::strerror(errno))});
}

}  // namespace

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail("cannot make an event loop");
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    ::close(epoll_);
    if (wake_ >= 0) ::close(wake_);
    fail("cannot make an event loop");
  }
}

EventLoop::~EventLoop() {
  ::close(wake_);
  ::close(epoll_);
}

void EventLoop::watch(int descriptor, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("cannot watch a socket");
}

void EventLoop::change(int descriptor, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0) fail("cannot watch a socket");
}

void EventLoop::forget(int descriptor, Watcher& watcher) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  for (std::size_t i = next_; i < count_; ++i) {
    if (ready_[i].data.ptr == &watcher) ready_[i].data.ptr = nullptr;
  }
}

EventLoop::TimerId EventLoop::at(Instant when, std::function<void()> act) {
  return timers_.emplace(TimerId{when, ++timers_made_}, std::move(act)).first->first;
}

void EventLoop::turn(Nanos at_most) {
  if (!timers_.empty()) at_most = std::min(at_most, timers_.begin()->first.first - now());
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(at_most, Nanos{}));
  const int got = ::epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()),
                               static_cast<int>(wait.count()));
  count_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  for (next_ = 0; next_ < count_;) {
    const epoll_event event = ready_[next_++];
    if (event.data.ptr) static_cast<Watcher*>(event.data.ptr)->on_events(event.events);
  }
  count_ = 0;
  while (!timers_.empty() && timers_.begin()->first.first <= now()) {
    auto act = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    act();
  }
  finish_turn();
}

void EventLoop::finish_turn() {
  while (!endings_.empty()) {
    std::vector<std::function<void()>> endings;
    endings.swap(endings_);
    for (auto& act : endings) act();
  }
}

void EventLoop::run() {
  finish_turn();  // what was asked for before
  while (!stopping_.load() && !stop_requested()) turn(kLookForStop);
}

void EventLoop::stop() {
  stopping_.store(true);
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

}  // namespace lab::net
