#include "watchdog.h"

#include "stacks.h"

namespace thread_pools {
namespace {

using lab::Instant;
using namespace std::chrono_literals;

constexpr int kLooks = 10;  // within the patience
// Patiences: a thread that is ready for longer lacks no core, it spins.
constexpr int kForACore = 10;
constexpr Nanos kForABell = 100ms;  // a worker that heard it has begun by then

}  // namespace

Watchdog::Watchdog(const TaskLog& log, Options options)
    : log_(log),
      options_(std::move(options)),
      thread_([this](const std::stop_token& stopping) { watch(stopping); }) {}

Watchdog::~Watchdog() {
  thread_.request_stop();
  stopped_.notify_all();
}

void Watchdog::now_doing(std::string what) {
  alive();
  const std::lock_guard lock(mutex_);
  doing_ = std::move(what);
}

void Watchdog::watch(const std::stop_token& stopping) {
  Instant since = lab::now();
  std::uint64_t seen = progress();
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, stopping, options_.patience / kLooks,
                            [&] { return stopping.stop_requested(); })) {
    const Instant now = lab::now();
    const bool moved = progress() != seen;
    if (moved || meter_.worst(since, now) > options_.patience / 4) {
      seen = progress();
      since = now;
    } else if (now - since >= kForACore * options_.patience ||
               (now - since >= options_.patience && !another_thread_is_ready())) {
      lock.unlock();
      return options_.on_stuck(describe(since));
    }
    if (stopping.stop_requested()) return;
  }
}

Stuck Watchdog::describe(Instant since) const {
  Stuck stuck;
  stuck.at = log_.since_zero();
  stuck.since = stuck.at - (lab::now() - since);
  stuck.running = log_.running();
  stuck.waiting = log_.unfinished() - stuck.running;
  stuck.waits = stacks_of_other_threads();
  {
    const std::lock_guard lock(mutex_);
    stuck.doing = doing_;
  }
  if (stuck.waiting > 0) stuck.freed_by_a_bell = ring();
  return stuck;
}

std::optional<Nanos> Watchdog::ring() const {
  const std::uint64_t before = log_.progress();
  const Instant begin = lab::now();
  std::thread(options_.bell).detach();  // it may hang, too
  while (lab::now() - begin < kForABell) {
    if (log_.progress() != before) return lab::now() - begin;
    std::this_thread::yield();
  }
  return std::nullopt;
}

}  // namespace thread_pools
