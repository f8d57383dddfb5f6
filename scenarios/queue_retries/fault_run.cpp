#include "fault_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "actors/actor_pool.h"
#include "actors/crash_points.h"
#include "actors/operation_log.h"
#include "broker_books.h"
#include "core/stop.h"
#include "fault_report.h"
#include "harness/load.h"
#include "observed_queue.h"
#include "providers.h"
#include "servers/dead_letters.h"

namespace queue_retries {
namespace {

using lab::Instant;
using lab::now;
using namespace lab::harness;
using namespace std::chrono_literals;

constexpr std::size_t kEnqueuedAtOnce = 10;
constexpr Nanos kQuiet = 120ms;             // a queue that has been empty for so long is drained
constexpr Nanos kGoodbye = 10s;             // workers come, and finish what they have in hand
constexpr std::uint64_t kMostPassings = 4;  // two of the points are passed once for each batch
/// A broker has passed on what has expired, also after its first try was in vain.
constexpr Nanos kHandedOn = 2 * lab::servers::kDeadLetterAgain;

class FaultRun {
 public:
  FaultRun(const Setting& setting, EventStream& events)
      : setting_(setting),
        events_(events),
        name_(fmt::format("{}-{}", setting.recipe.variant, ++runs_)),
        place_(place_of(setting, name_, false)),
        folder_(setting.backends.folder / name_),
        connected_(connect(place_, setting.recipe)),
        plan_(plan_jobs(setting.sizes.jobs, longest_delay(), setting.plan.flags.seed)),
        zero_(now()) {
    std::filesystem::create_directory(folder_);
    points_ =
        std::make_unique<lab::actors::CrashPoints>((folder_ / "points").string(), crash_points());
    if (auto gone = SqlProvider::forget(*connected_.sql); !gone) throw lab::Failure(gone.error());
    const auto& sizes = setting.sizes;
    evidence_.keeps = setting.recipe.keeps;
    evidence_.retry = {.backoff = setting.recipe.backoff,
                       .base = sizes.retry_base,
                       .cap = sizes.retry_cap,
                       .seed = setting.plan.flags.seed};
    evidence_.lease = lease();
    evidence_.noticed = in_broker() ? Nanos{} : sizes.lease + sizes.sweep_every;
    evidence_.rounding = in_broker() ? lab::queue::RabbitQueue::step(sizes.retry_cap) : 1ms;
    evidence_.remembers_ids = !in_broker();
    evidence_.handed_out_ahead = in_broker();
    evidence_.idle = kLongestWait;
    if (in_broker()) {
      const Nanos longest = std::max(sizes.retry_cap, longest_delay());
      if (auto ready = queue_in_broker(place_)->prepare(longest); !ready)
        throw lab::Failure(ready.error());
    }
  }

  TrialReport run() {
    HiccupMeter hiccups;
    auto options = pool_options();
    lab::actors::ActorPool pool(std::move(options));
    wait_until_at_work();
    zero_ = now();
    lab::faults::FaultPlan faults(broker_faults());
    faults.start(zero_, [this](const auto& record, bool ended) {
      events_.emit("fault", {{"name", record.name}, {"ended", ended}});
    });
    std::jthread pauses;
    if (setting_.plan.fault == kWorkerPause)
      pauses = std::jthread([&](std::stop_token) { pause_workers(pool); });
    enqueue_spread(plan_.load);
    const Nanos load_took = now() - zero_;
    if (pauses.joinable()) pauses.join();
    note_faults(faults.finish());
    evidence_.drained = wait_until_drained();
    if (!plan_.herd.empty()) {
      enqueue_at_once(plan_.herd);
      evidence_.drained = wait_until_drained();
    }
    for (const auto& jobs : plan_.slow) {
      if (!disturbed(jobs, hiccups) || !evidence_.keeps) break;
    }
    const bool in_order = pool.terminate(kGoodbye);
    // A broker that waits for its disk renews no lease.
    evidence_.hiccup = std::max(hiccups.worst(zero_, now()), slowest_answer_);
    const Nanos took = now() - zero_;
    collect(pool);
    auto report = report_of(setting_, {.evidence = evidence_,
                                       .workers = pool.counts(),
                                       .points = points_->counts(),
                                       .faults = faults_,
                                       .broker_effect = broker_effect(),
                                       .load_took = load_took,
                                       .took = took});
    report.guards.push_back(
        {"workers ended when asked to", in_order && pool.problem().empty(), pool.problem()});
    return report;
  }

 private:
  Nanos longest_delay() const { return setting_.plan.timing.load() / 2; }
  bool in_broker() const { return setting_.recipe.store == Store::broker; }
  /// For so long a worker may be silent and keeps its jobs.
  Nanos lease() const {
    return in_broker() ? Nanos(lab::queue::RabbitQueue::kLease) : setting_.sizes.lease;
  }

  lab::actors::PoolOptions pool_options() {
    lab::actors::PoolOptions options;
    options.role = kWorkerRole;
    options.actors = kWorkers;
    options.cpus = setting_.plan.placement.load;
    if (setting_.plan.fault == kWorkerKill) {
      options.deaths = lab::actors::plan_deaths({.seed = setting_.plan.flags.seed,
                                                 .actors = kWorkers,
                                                 .kills = setting_.sizes.kills,
                                                 .points = places_of_death(),
                                                 .duration = setting_.plan.timing.load(),
                                                 .most_passings = most_passings()});
      options.points = points_.get();
    }
    WorkerOrders orders{.variant = setting_.recipe.variant,
                        .place = place_of(setting_, name_, true),
                        .retry = evidence_.retry,
                        .seed = setting_.plan.flags.seed,
                        .takes = setting_.sizes.takes,
                        .slow_takes = slow_takes(),
                        .sweep_every = setting_.sizes.sweep_every,
                        .points = (folder_ / "points").string()};
    options.orders = [this, orders](std::size_t index, std::size_t life,
                                    const lab::actors::Death* death) {
      WorkerOrders own = orders;
      own.worker = static_cast<std::uint32_t>(index);
      own.life = life;
      own.log = log_of(index);
      if (death) own.death = *death;
      return to_json(own);
    };
    return options;
  }

  /// A life sees about as many jobs as there are for each kill. A death at a point comes within the first third of them, so
  /// that the last ones planned do not wait for jobs when the load is over.
  std::uint64_t most_passings() const {
    const std::size_t jobs_of_a_life =
        setting_.sizes.jobs.load / std::max<std::size_t>(1, setting_.sizes.kills);
    return std::clamp<std::uint64_t>(jobs_of_a_life / 3, 1, kMostPassings);
  }

  Nanos slow_takes() const { return lease() * 5 / 2; }

  /// As many deaths at random moments as at all the points together; the plan adds one more such place. A list is never
  /// told that a job is done.
  std::vector<std::string> places_of_death() const {
    auto places = crash_points();
    if (setting_.recipe.store == Store::list) std::erase(places, kAfterAck);
    places.resize(2 * places.size() - 1);
    return places;
  }

  std::string log_of(std::size_t worker) const {
    return (folder_ / fmt::format("worker-{}", worker)).string();
  }

  /// Each worker makes its log when it is connected: the load begins with all of them there.
  void wait_until_at_work() {
    for (const Instant limit = now() + kGoodbye; now() < limit && !lab::stop_requested();
         std::this_thread::sleep_for(1ms)) {
      std::size_t there = 0;
      for (std::size_t worker = 0; worker < kWorkers; ++worker)
        there += std::filesystem::exists(log_of(worker));
      if (there == kWorkers) return;
    }
  }

  std::vector<lab::faults::Fault> broker_faults() {
    if (in_broker()) return setting_.backends.rabbit->faults(setting_.plan.timing);
    if (!place_.in_redis()) return {};
    return setting_.backends.redis->faults(setting_.plan.timing);
  }

  void note_faults(const std::vector<lab::faults::FaultRecord>& records) {
    for (const auto& record : records) {
      faults_.push_back({record.name, record.target, setting_.recipe.variant,
                         lab::milliseconds(record.began), lab::milliseconds(record.ended),
                         record.error});
    }
  }

  /// Each pause is longer than lease and sweep together, so that the jobs in hand are given to somebody else meanwhile. A
  /// connection's lease is longer than the load: half of the workers sleep through it at the same time.
  void pause_workers(lab::actors::ActorPool& pool) {
    const auto& sizes = setting_.sizes;
    const std::size_t together = in_broker() ? kWorkers / 2 : 1;
    const std::size_t times = in_broker() ? 1 : sizes.pauses;
    const Nanos length = in_broker() ? 2 * lease() : lease() + 4 * sizes.sweep_every;
    for (std::size_t i = 0; i < times && !lab::stop_requested(); ++i) {
      lab::sleep_for(sizes.lease / 4);
      std::vector<Absence> asleep;
      for (std::size_t n = 0; n < together; ++n) {
        const std::size_t worker = (i + n) % kWorkers;
        wait_until_busy(pool, worker);
        asleep.push_back({.worker = static_cast<std::uint32_t>(worker), .begin = now() - zero_});
        pool.pause(worker);
      }
      lab::sleep_for(length);
      for (auto& pause : asleep) {
        pause.end = now() - zero_;
        pool.resume(pause.worker);
        evidence_.pauses.push_back(pause);
        faults_.push_back({kWorkerPause, fmt::format("worker {}", pause.worker),
                           setting_.recipe.variant, lab::milliseconds(pause.begin),
                           lab::milliseconds(pause.end), ""});
      }
    }
  }

  /// A worker that has nothing in hand sleeps past no lease. When there is no more work, it may as well.
  void wait_until_busy(const lab::actors::ActorPool& pool, std::size_t worker) const {
    const Instant limit = now() + setting_.plan.timing.load() / 2;
    while (!amid_a_batch(pool, worker) && now() < limit && !lab::stop_requested())
      std::this_thread::sleep_for(1ms);
  }

  /// Has the worker begun its last batch and not yet all of it, by what it wrote down in this life?
  bool amid_a_batch(const lab::actors::ActorPool& pool, std::size_t worker) const {
    Nanos born{};
    for (const auto& died : pool.deaths()) {
      if (died.actor == worker) born = died.at - zero_;
    }
    std::size_t claimed = 0, begun = 0;
    for (const auto& op : lab::actors::read_operations(log_of(worker), zero_, {})) {
      if (op.invoked < born) continue;
      if (op.kind == kClaim && begun > 0) claimed = begun = 0;
      claimed += op.kind == kClaim;
      begun += op.kind == kEffect;
    }
    return begun > 0 && begun < claimed;
  }

  /// Until the queue takes them: their ids are the producer's, so that asking again is safe.
  void enqueue(std::span<const Job> jobs) {
    std::vector<lab::queue::NewJob> asked;
    std::vector<JobList::Item> items;
    for (const auto& job : jobs) {
      const bool poison = job.trait == Trait::poison;
      asked.push_back({.id = job.id(),
                       .payload = encode(job),
                       .priority = poison && !in_broker() ? lab::queue::Priority::high
                                                          : lab::queue::Priority::normal,
                       .delay = job.delay});
      items.push_back({encode(job)});
    }
    const Nanos invoked = now() - zero_;
    Outcome outcome = Outcome::info;
    int tries = 0;
    for (const Instant limit = now() + setting_.sizes.patience; now() < limit;) {
      ++tries;
      const auto done = setting_.recipe.store == Store::list
                            ? connected_.list->push(items)
                            : accepted(connected_.queue().enqueue(asked));
      if (done) {
        outcome = Outcome::ok;
        break;
      }
      // A list would take a second copy.
      if (setting_.recipe.store == Store::list && done.error().happened == lab::Happened::unknown)
        break;
      std::this_thread::sleep_for(5ms);
    }
    for (const auto& job : jobs)
      evidence_.jobs.push_back({job, invoked, now() - zero_, outcome, tries});
  }

  static Result<void> accepted(const Result<std::vector<lab::queue::Enqueued>>& answer) {
    if (!answer) return answer.error();
    return {};
  }

  void enqueue_spread(const std::vector<Job>& jobs) {
    const Nanos load = setting_.plan.timing.load();
    for (std::size_t i = 0; i < jobs.size() && !lab::stop_requested(); i += kEnqueuedAtOnce) {
      const double part = static_cast<double>(i) / static_cast<double>(jobs.size());
      lab::sleep_until(zero_ +
                       Nanos(static_cast<std::int64_t>(part * static_cast<double>(load.count()))));
      enqueue(std::span(jobs).subspan(i, std::min(kEnqueuedAtOnce, jobs.size() - i)));
    }
  }

  void enqueue_at_once(const std::vector<Job>& jobs) {
    if (!lab::stop_requested()) enqueue(jobs);
  }

  /// Has long jobs done. Did the machine stand still meanwhile, so that leases may have been lost?
  bool disturbed(const std::vector<Job>& jobs, const HiccupMeter& hiccups) {
    const Instant began = now();
    const Nanos slowest_before = std::exchange(slowest_answer_, Nanos{});
    enqueue_at_once(jobs);
    evidence_.drained = wait_until_drained();
    const Nanos late = std::max(hiccups.worst(began, now()), slowest_answer_);
    slowest_answer_ = std::max(slowest_answer_, slowest_before);
    for (auto& enqueued : evidence_.jobs) {
      if (enqueued.job.number >= jobs.front().number) enqueued.hiccup = late;
    }
    return late > lease() / 3 && !lab::stop_requested();
  }

  /// How many jobs nobody has taken.
  Result<std::int64_t> waiting() {
    if (setting_.recipe.store == Store::list) return left();
    auto counts = connected_.queue().counts();
    if (!counts) return counts.error();
    return (*counts)[lab::queue::JobState::waiting];
  }

  /// How many jobs are not yet done, by the queue's books.
  Result<std::int64_t> left() {
    if (setting_.recipe.store == Store::list) {
      auto size = connected_.list->size();
      if (!size) return size.error();
      return static_cast<std::int64_t>(*size);
    }
    if (in_broker()) return jobs_under_way(evidence_, connected_.queue(), *connected_.sql);
    auto counts = connected_.queue().counts();
    if (!counts) return counts.error();
    using lab::queue::JobState;
    return (*counts)[JobState::waiting] + (*counts)[JobState::active] +
           (*counts)[JobState::delayed] + (*counts)[JobState::failed];
  }

  /// A queue that gives jobs away before they are done knows nothing of those in hand: it has to stay empty for a while. So
  /// has a broker that lost a job: it will never be done, and nobody waits for it.
  bool wait_until_drained() {
    Instant empty_since = now();
    Silence silence(longest_absence());
    for (const Instant limit = now() + setting_.sizes.patience + longest_absence();
         now() < limit && !lab::stop_requested(); std::this_thread::sleep_for(5ms)) {
      const Instant asked = now();
      const auto jobs = left();
      slowest_answer_ = std::max(slowest_answer_, now() - asked);
      if (!jobs || *jobs > 0) empty_since = now();
      if (jobs && *jobs == 0 && (evidence_.keeps || now() - empty_since > kQuiet)) return true;
      if (!in_broker()) continue;
      const auto waits = waiting();
      if (silence.lasts(waits ? *waits : 1, written(), now())) return true;
    }
    return false;
  }

  /// So long may a job be neither waiting nor written of, and come back.
  Nanos longest_absence() const {
    if (!in_broker()) return {};
    const Nanos delay = std::max(setting_.sizes.retry_cap, longest_delay());
    const Nanos takes = plan_.slow.empty() ? setting_.sizes.takes : slow_takes();
    return delay + lab::queue::RabbitQueue::step(delay) + kHandedOn + takes + 2 * lease();
  }

  std::uint64_t written() const {
    std::uint64_t bytes = 0;
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      std::error_code none;  // a worker that died before it began has no log
      const auto size = std::filesystem::file_size(log_of(worker), none);
      if (!none) bytes += size;
    }
    return bytes;
  }

  void collect(const lab::actors::ActorPool& pool) {
    const Nanos end = now() - zero_;
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      auto log = lab::actors::read_operations(log_of(worker), zero_, end);
      evidence_.operations.insert(evidence_.operations.end(), log.begin(), log.end());
    }
    std::stable_sort(evidence_.operations.begin(), evidence_.operations.end(),
                     [](const auto& a, const auto& b) { return a.returned < b.returned; });
    for (const auto& died : pool.deaths()) {
      const Nanos at = died.at - zero_;
      evidence_.deaths.push_back({static_cast<std::uint32_t>(died.actor), at, at});
      const std::string where = died.point.empty() ? "at random" : died.point;
      faults_.push_back({fmt::format("{} ({})", kWorkerKill, where),
                         fmt::format("worker {}", died.actor), setting_.recipe.variant,
                         lab::milliseconds(at), lab::milliseconds(at), ""});
    }
    auto effects = SqlProvider::effects(*connected_.sql);
    if (!effects) throw lab::Failure(effects.error());
    evidence_.effects = std::move(*effects);
    if (setting_.recipe.store == Store::list) return;
    if (in_broker()) {
      evidence_.statuses = dead_jobs(connected_.queue()).value();
      return;
    }
    for (const auto& enqueued : evidence_.jobs) {
      auto status = connected_.queue().status(enqueued.job.id());
      if (status) {
        evidence_.statuses[enqueued.job.number] = std::move(*status);
      } else if (status.error().code != lab::ErrorCode::not_found) {
        throw lab::Failure(status.error());
      }
    }
  }

  /// What the broker's clients felt of the run's fault; nothing where it was none of the broker's.
  std::optional<lab::backends::FaultEffect> broker_effect() const {
    if (!setting_.plan.fault.starts_with("broker")) return std::nullopt;
    if (in_broker()) return setting_.backends.rabbit->effect();
    if (place_.in_redis()) return setting_.backends.redis->effect();
    return std::nullopt;
  }

  inline static int runs_ = 0;

  const Setting& setting_;
  EventStream& events_;
  const std::string name_;
  const QueuePlace place_;
  const std::filesystem::path folder_;
  Connected connected_;
  const Plan plan_;
  Instant zero_;
  std::unique_ptr<lab::actors::CrashPoints> points_;
  Evidence evidence_;
  std::vector<FaultTime> faults_;
  Nanos slowest_answer_{};
};

}  // namespace

QueuePlace place_of(const Setting& setting, const std::string& name, bool through_proxy) {
  QueuePlace place{.name = name, .sql_url = setting.backends.sql->address().url()};
  place.store = setting.recipe.store;
  place.lease = setting.sizes.lease;
  if (setting.plan.backend == Backend::embedded) return place;
  if (place.store == Store::broker) {
    auto& rabbit = *setting.backends.rabbit;
    const auto broker = through_proxy ? rabbit.client_address() : rabbit.address();
    place.amqp_host = broker.host;
    place.amqp_port = broker.port;
    place.amqp_user = broker.user;
    place.amqp_password = broker.password;
    place.amqp_vhost = broker.vhost;
    return place;
  }
  const auto address =
      through_proxy ? setting.backends.redis->client_address() : setting.backends.redis->address();
  if (!address) return place;
  place.redis_socket = address->unix_socket;
  place.redis_host = address->host;
  place.redis_port = address->port;
  place.redis_user = address->user;
  place.redis_password = address->password;
  place.redis_database = address->database;
  return place;
}

Sizes choose_sizes(const RunPlan& plan) {
  const bool quick = plan.flags.quick;
  Sizes sizes;
  sizes.lease = quick ? 150ms : 200ms;
  sizes.sweep_every = 30ms;
  sizes.retry_base = 160ms;  // some times what a busy worker is late
  sizes.retry_cap = 320ms;
  sizes.jobs.load = static_cast<std::size_t>(plan.flags.jobs.value_or(quick ? 250 : 1000));
  sizes.kills = static_cast<std::size_t>(plan.flags.kills.value_or(quick ? 25 : 60));
  sizes.pauses = quick ? 5 : 12;
  sizes.takes = 2ms;
  // Slow enough that the workers always have a job in hand, and others wait; or that most have, and none waits for long.
  const Nanos takes_all =
      plan.timing.load() * kWorkers / static_cast<std::int64_t>(sizes.jobs.load);
  if (plan.fault == kBrokerKillVolatile) sizes.takes = takes_all;
  if (plan.fault == kWorkerPause) sizes.takes = takes_all / 2;
  sizes.patience = 20s + plan.timing.load();
  return sizes;
}

TrialReport run_with_fault(const Setting& setting, EventStream& events) {
  return FaultRun(setting, events).run();
}

}  // namespace queue_retries
