#include "actors/actor_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "core/stop.h"

namespace lab::actors {
namespace {

constexpr Nanos kLook = 20ms;  // how often a waiting caller looks whether a stop was requested

/// Ends another thread's poll().
class Bell {
 public:
  Bell() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw Failure("no descriptor left to watch actors with");
  }
  ~Bell() { ::close(descriptor_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  void ring() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(descriptor_, &one, sizeof one);
  }
  void heard() const {
    std::uint64_t rung = 0;
    [[maybe_unused]] const auto ignored = ::read(descriptor_, &rung, sizeof rung);
  }
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

}  // namespace

/// One thread watches all actors; callers and it share what is guarded by the mutex.
class ActorPool::State {
 public:
  explicit State(PoolOptions options)
      : options_(std::move(options)), places_(options_.actors), accounted_(hits()) {
    for (std::size_t i = 0; i < places_.size(); ++i) start(i);
    thread_ = std::thread([this] { watch(); });
  }

  ~State() {
    end_watch_ = true;
    bell_.ring();
    if (thread_.joinable()) thread_.join();
  }

  void kill(std::size_t actor) {
    const std::lock_guard lock(mutex_);
    Place& place = places_.at(actor);
    if (!place.actor || place.actor->wait(Nanos{})) return;  // it ended by itself
    place.killed = Killed::beyond_plan;
    place.actor->kill();
  }

  /// Left to the watching thread, which may be waiting for their descriptors.
  void kill_all() {
    {
      const std::lock_guard lock(mutex_);
      kill_the_rest_ = true;
    }
    bell_.ring();
    while (running() > 0) std::this_thread::sleep_for(kLook / 10);
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
  enum class Killed { no, by_plan, beyond_plan };  // from outside

  struct Place {
    std::unique_ptr<Actor> actor;
    std::size_t life = 0;
    std::size_t died_as_planned = 0;  // so many of its planned deaths are behind it
    Instant started{};
    Killed killed = Killed::no;
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

  /// How the life of this one is to end.
  const Death* death_of(std::size_t actor) const {
    if (actor >= options_.deaths.size()) return nullptr;
    const auto& deaths = options_.deaths[actor];
    const std::size_t next = places_[actor].died_as_planned;
    return next < deaths.size() ? &deaths[next] : nullptr;
  }

  std::map<std::string, std::uint64_t> hits() const {
    std::map<std::string, std::uint64_t> hits;
    if (!options_.points) return hits;
    for (const auto& count : options_.points->counts()) hits[count.point] = count.hits;
    return hits;
  }

  /// Accounts for one of the deaths at the point, if there is one.
  bool somebody_died_at(const std::string& point) {
    if (!options_.points) return true;
    auto& accounted = accounted_[point];
    if (hits()[point] == accounted) return false;
    ++accounted;
    return true;
  }

  void start(std::size_t actor) {
    Place& place = places_[actor];
    place.killed = Killed::no;
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
    if (!place.actor || !death || !death->point.empty() || place.killed != Killed::no || closing_)
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
        places_[i].killed = Killed::by_plan;
        places_[i].actor->kill();
        next = now();
      }
    }
    return next;
  }

  void watch() {
    while (!end_watch_) {
      std::vector<pollfd> watched{{bell_.descriptor(), POLLIN, 0}};
      Instant next;
      {
        const std::lock_guard lock(mutex_);
        next = kill_who_is_due();
        for (const auto& place : places_) {
          if (place.actor) watched.push_back({place.actor->ended_descriptor(), POLLIN, 0});
        }
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now()).count();
      // The descriptors stay open meanwhile: actors are given up by this thread alone.
      ::poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(0, left)));
      bell_.heard();
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < places_.size(); ++i) keep_going(i);
      if (!kill_the_rest_) continue;
      for (auto& place : places_) place.actor.reset();
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
    Place& place = places_[actor];
    if (!ending.killed()) {
      ++(ending.status == 0 ? counts_.finished : counts_.failed);
      if (ending.status != 0 && problem_.empty())
        problem_ = fmt::format("{} {} {}", options_.role, actor, describe(ending));
      return;
    }
    if (closing_ && ending.signal != SIGKILL) return;  // it knows no better way to finish
    const Death* death = death_of(actor);
    const bool at_point = death && !death->point.empty() && place.killed == Killed::no &&
                          ending.signal == SIGKILL && somebody_died_at(death->point);
    ++(at_point                     ? counts_.killed_at_points
       : place.killed != Killed::no ? counts_.killed_at_random
                                    : counts_.died_unplanned);
    place.died_as_planned += at_point || place.killed == Killed::by_plan;
    deaths_.push_back({actor, place.life, at_point ? death->point : std::string(), now()});
  }

  const PoolOptions options_;
  mutable std::mutex mutex_;
  std::vector<Place> places_;  // guarded by mutex_, as are the others
  PoolCounts counts_;
  std::vector<Died> deaths_;
  std::string problem_;
  /// Deaths at points, those before this pool included.
  std::map<std::string, std::uint64_t> accounted_;
  bool closing_ = false;
  bool kill_the_rest_ = false;
  const Bell bell_;
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
