#include "harness/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <latch>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "core/result.h"
#include "core/stop.h"

namespace lab::harness {
namespace {

/// Runs `client(index)` on one thread per client, all released at the same moment. Throws Failure when the system has no
/// thread left.
void run_clients(std::uint32_t clients, const std::function<void(std::uint32_t)>& client) {
  std::latch ready(clients);
  std::atomic<bool> complete{true};
  std::vector<std::jthread> threads;
  threads.reserve(clients);
  for (std::uint32_t index = 0; index < clients && complete; ++index) {
    try {
      threads.emplace_back([&, index] {
        ready.arrive_and_wait();
        if (complete) client(index);
      });
    } catch (const std::system_error&) {
      complete = false;
      ready.count_down(clients -
                       index);  // those that are there must not wait for the others for ever
    }
  }
  threads.clear();
  if (!complete) {
    throw Failure(Error{ErrorCode::exhausted, Happened::no,
                        "the system has no thread left for " + std::to_string(clients) +
                            " clients; see ulimit -u"});
  }
}

/// Poisson arrivals: exponential gaps with the given mean.
std::vector<Nanos> arrival_plan(const OpenLoad& load) {
  std::vector<Nanos> plan;
  Random random = Random(load.seed).stream(0);
  const double mean_gap_ns = 1e9 / load.operations_per_second;
  double at_ns = 0;
  while (true) {
    at_ns += -std::log(1 - random.unit()) * mean_gap_ns;
    if (at_ns >= static_cast<double>(load.duration.count())) return plan;
    plan.emplace_back(static_cast<std::int64_t>(at_ns));
  }
}

class Schedstat {
 public:
  explicit Schedstat(const std::string& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Schedstat() {
    if (file_ >= 0) ::close(file_);
  }
  Schedstat(const Schedstat&) = delete;
  Schedstat& operator=(const Schedstat&) = delete;

  std::optional<Nanos> waited() const {
    char text[64] = {};
    long long ran = 0, waited = 0;
    if (file_ < 0 || ::pread(file_, text, sizeof text - 1, 0) <= 0 ||
        std::sscanf(text, "%lld %lld", &ran, &waited) != 2)
      return std::nullopt;
    return Nanos(waited);
  }

 private:
  const int file_;
};

}  // namespace

History closed_loop(Instant zero, const ClosedLoad& load, const Operate& operate) {
  History history(zero, load.clients);
  const Random seeds(load.seed);
  run_clients(load.clients, [&](std::uint32_t client) {
    Random random = seeds.stream(client + 1);
    std::vector<Operation>
        log;  // this thread's own until the end: no cache line is shared while it grows
    const Nanos end = now() - zero + load.duration;
    for (Nanos t = now() - zero; t < end && !stop_requested();) {
      Operation op = operate(client, random);
      op.client = client;
      op.planned = op.invoked = t;
      t = op.returned =
          now() - zero;  // the next call begins where this one ended: one clock reading for both
      log.push_back(op);
    }
    history.log(client) = std::move(log);
  });
  return history;
}

History open_loop(Instant zero, const OpenLoad& load, const Operate& operate) {
  History history(zero, load.in_flight);
  const std::vector<Nanos> plan = arrival_plan(load);
  const Random seeds(load.seed);
  const Instant start = now();
  const Nanos offset = start - zero;
  std::atomic<std::size_t> next{0};
  run_clients(load.in_flight, [&](std::uint32_t client) {
    std::vector<Operation> log;
    for (std::size_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < plan.size();) {
      if (!sleep_until(start + plan[index])) break;
      Random random = seeds.stream(
          index + 1);  // what is asked belongs to the arrival, whichever client takes it
      const Nanos planned = offset + plan[index];
      const Nanos invoked = now() - zero;
      Operation op;
      if (invoked - offset <= load.duration + load.patience) {
        op = operate(client, random);
      } else {
        op.outcome = Outcome::fail;
      }
      op.client = client;
      op.planned = planned;
      op.invoked = invoked;
      op.returned = now() - zero;
      log.push_back(op);
    }
    history.log(client) = std::move(log);
  });
  return history;
}

double recording_cost_ns() {
  const Instant start = now();
  const History history = closed_loop(start, {.clients = 1, .duration = 20ms, .seed = 1},
                                      [](std::uint32_t, Random&) { return Operation{}; });
  Nanos busy{};
  history.for_each([&](const Operation& op) { busy += op.duration(); });
  return history.size() == 0
             ? 0
             : static_cast<double>(busy.count()) / static_cast<double>(history.size());
}

Nanos waited_for_core() {
  thread_local const Schedstat own("/proc/thread-self/schedstat");
  return own.waited().value_or(Nanos{0});
}

std::optional<Nanos> waited_for_core(int thread) {
  return Schedstat("/proc/" + std::to_string(thread) + "/schedstat").waited();
}

struct HiccupMeter::State {
  struct Late {
    Instant due;
    Nanos by;
  };
  mutable std::mutex mutex;
  std::vector<Late> late;
  std::atomic<bool> stop{false};
  std::jthread thread;
};

HiccupMeter::HiccupMeter() : state_(std::make_unique<State>()) {
  state_->thread = std::jthread([state = state_.get()] {
    while (!state->stop) {
      const Instant due = now() + 1ms;
      std::this_thread::sleep_until(due);
      const Nanos by = now() - due;
      const std::lock_guard lock(state->mutex);
      state->late.push_back({due, by});
    }
  });
}

HiccupMeter::~HiccupMeter() {
  state_->stop = true;
  state_->thread.join();
}

Nanos HiccupMeter::worst(Instant begin, Instant end) const {
  const std::lock_guard lock(state_->mutex);
  Nanos worst{};
  for (const auto& [due, by] : state_->late) {
    if (due < end && due + by > begin) worst = std::max(worst, by);
  }
  return worst;
}

}  // namespace lab::harness
