#include "actors/actor_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "core/stop.h"

namespace lab::actors {
namespace {

constexpr Nanos kLook = 20ms;  // how often a waiting caller looks whether a stop was requested

}  // namespace

/// One thread watches all actors; callers and it share what is guarded by the mutex.
class ActorPool::State {
 public:
  explicit State(PoolOptions options)
      : options_(std::move(options)), places_(options_.actors), wake_(::eventfd(0, EFD_CLOEXEC)) {
    if (wake_ < 0) throw Failure("no descriptor left to watch actors with");
    for (std::size_t i = 0; i < places_.size(); ++i) start(i);
    thread_ = std::thread([this] { watch(); });
  }

  ~State() {
    end_watch_ = true;
    wake();
    if (thread_.joinable()) thread_.join();
    ::close(wake_);
  }

  /// One more death from outside, as if the plan had it.
  void kill(std::size_t actor) {
    const std::lock_guard lock(mutex_);
    Place& place = places_.at(actor);
    if (!place.actor || place.actor->wait(Nanos{})) return;  // it ended by itself
    place.killed_from_outside = true;
    place.actor->kill();
  }

  void kill_all() {
    const std::lock_guard lock(mutex_);
    for (auto& place : places_) place.actor.reset();
  }

  template <class Act>
  void with(std::size_t actor, const Act& act) {
    const std::lock_guard lock(mutex_);
    if (auto& running = places_.at(actor).actor) act(*running);
  }

  std::size_t running() const {
    const std::lock_guard lock(mutex_);
    return running_now();
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (auto& place : places_) {
      if (place.actor) place.actor->terminate();
    }
  }

  bool wait_until_empty(Nanos limit, bool heed_stop) const {
    for (const Instant end = now() + limit; running() > 0;) {
      if (now() >= end || (heed_stop && stop_requested())) return false;
      std::this_thread::sleep_for(kLook / 10);
    }
    return true;
  }

  PoolCounts counts() const { return locked(counts_); }
  std::vector<Died> deaths() const { return locked(deaths_); }
  std::string problem() const { return locked(problem_); }

 private:
  struct Place {
    std::unique_ptr<Actor> actor;
    std::size_t life = 0;
    Instant started{};
    bool killed_from_outside = false;
  };

  template <class T>
  T locked(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  std::size_t running_now() const {
    return static_cast<std::size_t>(std::count_if(
        places_.begin(), places_.end(), [](const Place& place) { return place.actor != nullptr; }));
  }

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(wake_, &one, sizeof one);
  }

  const Death* death_of(std::size_t actor) const {
    if (actor >= options_.deaths.size()) return nullptr;
    const auto& lives = options_.deaths[actor];
    const std::size_t life = places_[actor].life;
    return life < lives.size() ? &lives[life] : nullptr;
  }

  void start(std::size_t actor) {
    Place& place = places_[actor];
    place.killed_from_outside = false;
    place.started = now();
    place.actor = std::make_unique<Actor>(
        ActorOptions{.role = options_.role,
                     .orders = options_.orders(actor, place.life, death_of(actor)),
                     .cpus = options_.cpus,
                     .program = options_.program});
    ++counts_.started;
  }

  std::optional<Instant> random_kill_of(std::size_t actor) const {
    const Place& place = places_[actor];
    const Death* death = death_of(actor);
    if (!place.actor || !death || !death->point.empty() || place.killed_from_outside || closing_)
      return std::nullopt;
    return place.started + death->after;
  }

  /// Carries out what is due, and says when the next is.
  Instant kill_who_is_due() {
    Instant next = now() + 1s;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto due = random_kill_of(i);
      if (!due) continue;
      if (*due > now()) {
        next = std::min(next, *due);
      } else if (places_[i].actor->wait(Nanos{})) {
        continue;  // it ended before; keep_going() sees to it
      } else {
        places_[i].killed_from_outside = true;
        places_[i].actor->kill();
        next = now();
      }
    }
    return next;
  }

  void watch() {
    while (!end_watch_) {
      std::vector<pollfd> watched{{wake_, POLLIN, 0}};
      Instant next;
      {
        const std::lock_guard lock(mutex_);
        next = kill_who_is_due();
        for (const auto& place : places_) {
          if (place.actor) watched.push_back({place.actor->ended_descriptor(), POLLIN, 0});
        }
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now()).count();
      // A descriptor may be closed meanwhile by nobody but this thread.
      ::poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(0, left)));
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < places_.size(); ++i) keep_going(i);
    }
  }

  void keep_going(std::size_t actor) {
    Place& place = places_[actor];
    if (!place.actor) return;
    const auto ending = place.actor->wait(Nanos{});
    if (!ending) return;
    note(actor, *ending);
    place.actor.reset();
    if (!ending->killed() || closing_) return;
    ++place.life;
    try {
      start(actor);
    } catch (const Failure& failure) {
      if (problem_.empty()) problem_ = failure.what();
    }
  }

  void note(std::size_t actor, const Ending& ending) {
    const Place& place = places_[actor];
    if (!ending.killed()) {
      ++(ending.status == 0 ? counts_.finished : counts_.failed);
      if (ending.status != 0 && problem_.empty())
        problem_ = fmt::format("{} {} {}", options_.role, actor, describe(ending));
      return;
    }
    if (closing_ && ending.signal != SIGKILL) return;  // it knows no better way to finish
    const Death* death = death_of(actor);
    const bool at_point =
        death && !death->point.empty() && !place.killed_from_outside && ending.signal == SIGKILL;
    ++(at_point                    ? counts_.killed_at_points
       : place.killed_from_outside ? counts_.killed_at_random
                                   : counts_.died_unplanned);
    deaths_.push_back({actor, place.life, at_point ? death->point : std::string(), now()});
  }

  const PoolOptions options_;
  mutable std::mutex mutex_;
  std::vector<Place> places_;  // guarded by mutex_, as are the others
  PoolCounts counts_;
  std::vector<Died> deaths_;
  std::string problem_;
  bool closing_ = false;
  const int wake_;
  std::atomic<bool> end_watch_{false};
  std::thread thread_;
};

ActorPool::ActorPool(PoolOptions options) : state_(std::make_unique<State>(std::move(options))) {}
ActorPool::~ActorPool() = default;

void ActorPool::kill(std::size_t actor) {
  state_->kill(actor);
}

void ActorPool::pause(std::size_t actor) {
  state_->with(actor, [](Actor& running) { running.pause(); });
}

void ActorPool::resume(std::size_t actor) {
  state_->with(actor, [](Actor& running) { running.resume(); });
}

bool ActorPool::wait_until_finished(Nanos limit) {
  return state_->wait_until_empty(limit, true);
}

bool ActorPool::terminate(Nanos limit) {
  state_->close();
  if (state_->wait_until_empty(limit, false)) return true;
  state_->kill_all();
  return false;
}

PoolCounts ActorPool::counts() const {
  return state_->counts();
}

std::vector<Died> ActorPool::deaths() const {
  return state_->deaths();
}

std::string ActorPool::problem() const {
  return state_->problem();
}

}  // namespace lab::actors
