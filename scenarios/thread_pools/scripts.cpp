#include "scripts.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <latch>

#include "actors/role.h"
#include "core/random.h"
#include "harness/exit_status.h"
#include "login_loop.h"
#include "watchdog.h"

namespace thread_pools {
namespace {

using lab::Instant;
using lab::Random;
using namespace std::chrono_literals;

constexpr std::size_t kClosers =
    2;  // threads that submit while the pool closes, at most one a worker
constexpr std::size_t kAtMost = 20;  // times what they submit before it closes
constexpr Nanos kAfterlife = 200ms;  // what runs after shutdown, is waited for that long
constexpr std::size_t kThrowOneIn = 3;

class Play {
 public:
  Play(const Orders& orders, const Recipe& recipe,
       const std::function<void(const ScriptEvidence&)>& on_stuck)
      : orders_(orders),
        may_hold_(recipe.has_workers),
        pool_(recipe.make(orders.size)),
        dog_(log_, {.patience = orders.patience,
                    .bell = [this] { (void)pool_->submit(Task([] {}, [](std::exception_ptr) {})); },
                    .on_stuck = [this, on_stuck](const Stuck& stuck) { on_stuck(hung(stuck)); }}) {
    evidence_.script = orders.script;
    evidence_.size = orders.size;
  }

  ScriptEvidence run() {
    static const std::vector<std::pair<std::string, void (Play::*)()>> all{
        {kLogins, &Play::logins},
        {kWakeUps, &Play::wake_ups},
        {kNested, &Play::nested},
        {kExceptions, &Play::exceptions},
        {kCrowd, &Play::crowd},
        {kBehind, &Play::behind_a_blocked_task},
        {kCloseDrain, &Play::close_drain},
        {kCloseGiveBack, &Play::close_give_back}};
    for (const auto& [name, script] : all) {
      if (name == orders_.script) (this->*script)();
    }
    if (!evidence_.how) close(Shutdown::drain);
    dog_.now_doing("what runs after shutdown");
    if (!log_.wait_until_settled(kAfterlife)) dog_.alive();
    evidence_.tasks = log_.traces();
    evidence_.hiccup = dog_.hiccup();
    return std::move(evidence_);
  }

 private:
  /// What is known when nothing moves any more. The script's own notes belong to its thread, which is not asked.
  ScriptEvidence hung(const Stuck& stuck) const {
    ScriptEvidence evidence;
    evidence.script = orders_.script;
    evidence.size = orders_.size;
    evidence.tasks = log_.traces();
    evidence.stuck = stuck;
    if (orders_.script == kNested) evidence.nested_done = false;
    return evidence;
  }

  void close(Shutdown how) {
    dog_.now_doing(how == Shutdown::drain ? "shutdown(drain)" : "shutdown(give_back)");
    evidence_.how = how;
    evidence_.shutdown_began = log_.since_zero().count();
    auto left = pool_->shutdown(how);
    evidence_.shutdown_ended = log_.since_zero().count();
    log_.given_back(std::move(left));
  }

  void logins() {
    dog_.now_doing("logins");
    LoginLoop loop(orders_, *pool_, log_, dog_, [this] { close(Shutdown::give_back); });
    loop.run();
    evidence_.bystanders = loop.bystanders();
    evidence_.one_hash = loop.one_hash();
  }

  /// A worker that is busy, one that is about to sleep, one that sleeps: each time a few tasks come.
  void wake_ups() {
    Random random(orders_.seed);
    for (std::size_t i = 0; i < orders_.wake_ups; ++i) {
      dog_.now_doing(fmt::format("wait for the tasks of cycle {}", i + 1));
      const std::size_t tasks = 1 + random.below(4);
      for (std::size_t task = 0; task < tasks; ++task)
        log_.submit(*pool_, [steps = random.below(20'000)] { compute(steps); });
      log_.wait_until_settled();
      const Instant until = lab::now() + Nanos(random.below(100'000));
      while (lab::now() < until) {
      }
    }
  }

  void nested() {
    dog_.now_doing("wait for a task that waits for another task of the same pool");
    std::atomic<bool> child_had_run{false};
    log_.submit(*pool_, [this, &child_had_run] {
      bool ran = false;
      pool_->run_and_wait(Task([&ran] { ran = true; }, [](std::exception_ptr) {}));
      child_had_run = ran;
    });
    log_.wait_until_settled();
    evidence_.nested_done = child_had_run.load();
  }

  /// Each future must bring the number of its own task, thrown or returned.
  void exceptions() {
    dog_.now_doing("wait for the futures of tasks that throw");
    std::vector<std::pair<std::size_t, std::future<std::size_t>>> futures;
    const std::size_t tasks = kThrowOneIn * (orders_.size.workers + 2);
    for (std::size_t i = 0; i < tasks; ++i) {
      auto [task, future] = with_future([i]() -> std::size_t {
        if (i % kThrowOneIn == 0) throw i;
        return i;
      });
      while (pool_->submit(std::move(task)) == Submitted::rejected) std::this_thread::yield();
      futures.emplace_back(i, std::move(future));
    }
    for (auto& [number, future] : futures) {
      ++(brings(number, future) ? evidence_.futures_kept : evidence_.futures_wrong);
      dog_.alive();
    }
  }

  static bool brings(std::size_t number, std::future<std::size_t>& future) {
    const bool throws = number % kThrowOneIn == 0;
    try {
      return future.get() == number && !throws;
    } catch (std::size_t thrown) {
      return thrown == number && throws;
    } catch (const std::future_error&) {
      return false;
    }
  }

  /// Nobody ends before all have come: what is accepted now, the pool must hold.
  void crowd() {
    dog_.now_doing("more tasks than the pool may hold");
    const auto door = std::make_shared<std::latch>(1);
    for (std::size_t i = 0; i < 2 * (orders_.size.queue_limit + orders_.size.workers); ++i) {
      log_.submit(*pool_, [this, door] {
        if (may_hold_) door->wait();
      });
    }
    door->count_down();
    dog_.now_doing("wait for the crowd");
    log_.wait_until_settled();
  }

  /// A task that waits for all the others comes first of a full queue, while both workers are held: whoever takes it, and
  /// whatever that worker takes along, the other worker must do the rest.
  void behind_a_blocked_task() {
    dog_.now_doing("fill the queue while all workers are held");
    const auto door = std::make_shared<std::latch>(1);
    const auto held =
        std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(orders_.size.workers));
    for (std::size_t i = 0; i < orders_.size.workers; ++i)
      log_.submit(*pool_, [this, door, held] {
        held->count_down();
        if (may_hold_) door->wait();
      });
    held->wait();
    const std::size_t others = orders_.size.queue_limit - orders_.size.workers - 1;
    const auto all_others = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(others));
    log_.submit(*pool_, [this, all_others] {
      if (may_hold_) all_others->wait();
    });
    for (std::size_t i = 0; i < others; ++i)
      log_.submit(*pool_, [all_others] { all_others->count_down(); });
    door->count_down();
    dog_.now_doing("wait for what stands behind a blocked task");
    log_.wait_until_settled();
  }

  /// When the pool begins to close, its workers are busy, its queue is full, and more tasks come.
  void close_amid_load(Shutdown how) {
    dog_.now_doing("tasks while the pool closes");
    // Shared with the tasks: a variant may run one when all of this is over.
    const auto closing = std::make_shared<std::latch>(1);
    // Without a pool they are the workers.
    const std::size_t closers = std::min(kClosers, orders_.size.workers);
    std::latch busy(static_cast<std::ptrdiff_t>(closers));
    std::atomic<bool> closed{false};
    std::vector<std::jthread> submitters;
    for (std::size_t i = 0; i < closers; ++i) {
      submitters.emplace_back([&, i] {
        Random random = Random(orders_.seed).stream(i);
        for (std::size_t task = 0; task < kAtMost * orders_.closing_tasks && !closed; ++task) {
          if (task == orders_.closing_tasks) busy.count_down();
          log_.submit(*pool_, [this, closing, steps = random.below(50'000)] {
            if (may_hold_) closing->wait();
            compute(steps);
          });
        }
      });
    }
    busy.wait();
    closing->count_down();
    close(how);
    closed = true;
  }
  void close_drain() { close_amid_load(Shutdown::drain); }
  void close_give_back() { close_amid_load(Shutdown::give_back); }

  const Orders& orders_;
  /// May a task wait for somebody? Without workers it would wait on the thread of that very somebody.
  const bool may_hold_;
  TaskLog log_{lab::now()};
  std::unique_ptr<Pool> pool_;
  ScriptEvidence evidence_;
  Watchdog dog_;  // last
};

}  // namespace

ScriptEvidence play(const Orders& orders, const Recipe& recipe,
                    const std::function<void(const ScriptEvidence&)>& on_stuck) {
  return Play(orders, recipe, on_stuck).run();
}

int script_main() {
  // A variant that throws out of a thread ends here: quietly, the run says it.
  std::set_terminate([] { std::abort(); });
  const rlimit no_core{0, 0};
  (void)setrlimit(RLIMIT_CORE, &no_core);
  const Orders orders = orders_from_json(lab::actors::take_orders());
  const auto tell = [](const ScriptEvidence& evidence) {
    lab::actors::tell_run(to_json(evidence));
  };
  tell(play(orders, recipe_of(orders.variant), [&tell](const ScriptEvidence& evidence) {
    tell(evidence);
    ::_exit(lab::harness::kAsPromised);
  }));
  ::_exit(lab::harness::kAsPromised);  // threads that a variant left behind may still run
}

}  // namespace thread_pools
