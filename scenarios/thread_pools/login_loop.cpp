#include "login_loop.h"

#include <algorithm>
#include <thread>

namespace thread_pools {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLoginsPerThrow = 4;
constexpr Nanos kBlocked = 50ms;  // a directory server that does not answer
constexpr Nanos kQuiet = 10ms;    // before and after the logins

}  // namespace

LoginLoop::LoginLoop(const Orders& orders, Pool& pool, TaskLog& log, Watchdog& dog,
                     std::function<void()> close)
    : orders_(orders),
      pool_(pool),
      log_(log),
      dog_(dog),
      close_(std::move(close)),
      one_hash_(time_one(orders.login)),
      core_wait_(log.since_zero(), CoreWait::of_this_thread()) {}

void LoginLoop::run() {
  begin_ = log_.since_zero();
  const bool closes = orders_.fault == kShutdown;
  const std::size_t last = closes ? orders_.logins / 2 : orders_.logins;
  std::jthread closer;  // a shutdown takes its time, which the loop must not wait for
  Nanos end = Nanos::max();
  for (Nanos next = begin_; next < end || bystanders_.size() < kFewestPings; next += kPingEvery) {
    sleep_until(next);
    answer(next);
    if (log_.unfinished() == 0) dog_.alive();  // else its tasks must move
    if (accepted_ < last) {
      offer();
    } else if (closes && !closer.joinable()) {
      closer = std::jthread(close_);
    } else if (end == Nanos::max() && log_.unfinished() == 0) {
      end = log_.since_zero() + kQuiet;
    }
  }
}

/// When it returns, the books of what the loop lost are up to date.
void LoginLoop::sleep_until(Nanos next) {
  const Nanos now = log_.since_zero();
  core_wait_.ran(now, CoreWait::of_this_thread());
  if (now >= next) return;
  std::this_thread::sleep_for(next - now);
  core_wait_.slept(next, log_.since_zero(), CoreWait::of_this_thread());
}

void LoginLoop::answer(Nanos planned) {
  const Nanos at = log_.since_zero();
  const auto lost = core_wait_.since(planned);
  bystanders_.push_back(
      {planned.count(), (at - planned).count(), lost.no_core.count(), lost.waited.count()});
}

/// A storm comes at once; without a fault, logins come as half of the cores could do them.
std::size_t LoginLoop::due(Nanos elapsed) const {
  if (elapsed < kQuiet) return 0;
  if (orders_.fault != kNone) return orders_.logins;
  const auto each = 2 * one_hash_ / static_cast<std::int64_t>(orders_.size.workers);
  return std::min(orders_.logins, static_cast<std::size_t>((elapsed - kQuiet) / each));
}

void LoginLoop::offer() {
  const std::size_t until = due(log_.since_zero() - begin_);
  while (accepted_ < until) {
    const std::size_t before = accepted_;
    log_in(accepted_);
    if (accepted_ == before) return;  // full: later
  }
}

void LoginLoop::log_in(std::size_t number) {
  const bool throws = orders_.fault == kThrowing && number % kLoginsPerThrow == 0;
  // As many as there are workers, in the middle of the load.
  const bool blocks = orders_.fault == kBlocking && number >= orders_.logins / 2 &&
                      number < orders_.logins / 2 + orders_.size.workers;
  const bool accepted = log_.submit(pool_, [this, number, throws, blocks] {
    if (blocks) std::this_thread::sleep_for(kBlocked);
    HashCost cost = orders_.login;
    if (throws) cost.memory_kib = 0;  // the library refuses
    (void)hash_password("correct horse", orders_.seed + number, cost);
  });
  if (accepted) ++accepted_;
}

}  // namespace thread_pools
