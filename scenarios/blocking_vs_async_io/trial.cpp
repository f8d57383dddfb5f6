#include "trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <thread>

#include "core/stop.h"
#include "exchange.h"
#include "harness/load.h"
#include "net/server_process.h"
#include "net/slow_peers.h"

namespace blocking_vs_async_io {
namespace {

using lab::Instant;
using lab::milliseconds;
using lab::now;
using namespace lab::harness;
using lab::net::HttpLoadResult;
using lab::net::request_bytes;
using lab::net::ServerProcess;
using lab::net::SlowPeers;
using lab::net::SlowPeersOptions;
using lab::net::Usage;
using namespace std::chrono_literals;

constexpr Nanos kBetweenLooks = 2ms;  // at what the kernel says of a process

/// Is it time to give up on what a good server does by itself? A machine that is late makes the time longer.
class Settling {
 public:
  explicit Settling(Nanos most) : most_(most) {}
  bool over() const {
    const Instant time = now();
    if (time < begin_ + most_) return lab::stop_requested();
    return lab::stop_requested() || time >= begin_ + most_ + kTurns * hiccups_.worst(begin_, time);
  }

 private:
  const Nanos most_;
  const Instant begin_ = now();
  const HiccupMeter hiccups_;
};

/// All latencies, those included that nobody will ever know.
Histogram latencies(const HttpLoadResult& result) {
  Histogram all = result.latency;
  all.merge(result.unanswered_waited);
  return all;
}

class Trial {
 public:
  Trial(const Setting& setting, EventStream& events)
      : setting_(setting), sizes_(setting.sizes), events_(events), server_(start(setting)) {
    evidence_.seed = setting.plan.flags.seed;
  }

  TrialReport run() {
    began_ = now();
    first_answer();
    evidence_.descriptors.before = usage().open_descriptors;
    step("odd-clients", [this] { echo(); });
    step("slow-calls", [this] { beside_slow_calls(); });
    step("slow-peers", [this] { beside_slow_peers(); });
    step("stalled-readers", [this] { stalled_readers(); });
    step("idle-connections", [this] { idle_connections(); });
    step("gone", [this] { descriptors_return(); });
    step("no-descriptors", [this] { exhaust(); });
    TrialReport report;
    if (lab::stop_requested()) return report;
    report.checks = judge_all(checks(), evidence_);
    report.faults = faults_;
    add_metrics(report);
    return report;
  }

 private:
  template <class Step>
  void step(const char* name, Step&& run) {
    if (lab::stop_requested()) return;
    const Instant begin = now();
    std::string error;
    // What the step before has left to do is done when this is answered.
    (void)exchange(server_.port(), request_bytes("GET", "/"), {}, sizes_.patience);
    run();
    if (const auto ending = server_.ended()) error = "the server " + describe(*ending);
    faults_.push_back({name, "server", setting_.orders.variant, milliseconds(begin - began_),
                       milliseconds(now() - began_), error});
    if (!error.empty()) throw lab::Failure(setting_.orders.variant + ": " + error);
  }

  Usage usage() { return server_.usage().value(); }

  /// Everything that is opened once is open then: a connection to Redis, threads.
  void first_answer() {
    const auto answer =
        exchange(server_.port(), request_bytes("GET", "/products/1"), {}, sizes_.patience);
    if (!answer) throw lab::Failure(answer.error());
    count_connections(1);
    wait_until([this] { return usage().open_descriptors <= least_descriptors(); });
  }

  /// The first answer's own connection may still be there: what is open is what stays for some looks.
  std::size_t least_descriptors() {
    std::size_t least = usage().open_descriptors;
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(kBetweenLooks);
      least = std::min(least, usage().open_descriptors);
    }
    return least;
  }

  template <class Condition>
  bool wait_until(Condition&& condition) {
    for (const Settling settling(sizes_.settling); !condition();) {
      if (settling.over()) return false;
      std::this_thread::sleep_for(kBetweenLooks);
    }
    return true;
  }

  void count_connections(std::size_t count) { evidence_.descriptors.connections += count; }
  void see_descriptors() {
    auto& most = evidence_.descriptors.at_most;
    most = std::max(most, usage().open_descriptors);
  }

  void echo() {
    for (const std::size_t size : sizes_.echoes) {
      echo("a byte at a time", size, {.slice = size > 10'000 ? 97U : 1U});
      echo("half-closed", size, {.half_close = true});
      const Interruptions interruptions(server_.pid());
      for (int i = 0; i < 5; ++i) echo("interrupted", size, {.slice = 1 + size / 50});
      evidence_.interruptions += interruptions.sent();
    }
  }

  void echo(const char* how, std::size_t size, Manner manner) {
    const std::string body = echo_body(size, evidence_.seed + evidence_.echoes.size());
    const auto answer =
        exchange(server_.port(), request_bytes("POST", "/echo", body), manner, sizes_.patience);
    count_connections(1);
    std::string problem;
    if (!answer) {
      problem = describe(answer.error());
    } else if (answer->status != 200) {
      problem = fmt::format("status {}", answer->status);
    } else if (answer->body != body) {
      problem = fmt::format("{} bytes came back, and not these", answer->body.size());
    }
    evidence_.echoes.push_back({how, size, problem});
  }

  void beside_slow_calls() {
    const Nanos duration = sizes_.beside_slow_calls;
    const HiccupMeter hiccups;
    const Instant begin = now();
    auto slow = std::async(std::launch::async, [port = server_.port(), duration] {
      return run_http_load(slow_load(port, duration + kSlowCall));
    });
    std::this_thread::sleep_for(kSlowCall / 2);  // the first call is under way
    const auto others = run_http_load(static_load(server_.port(), kFewClients, duration));
    const std::uint64_t calls = slow.get().completed;
    count_connections(kFewClients + kSlowCallers);
    const auto all = latencies(others);
    evidence_.slow_calls = {.calls = calls,
                            .answered = others.completed,
                            .failed = others.failed(),
                            .unanswered = others.unanswered,
                            .p50 = all.percentile(0.5),
                            .p99 = all.percentile(0.99),
                            .hiccup = hiccups.worst(begin, now())};
  }

  struct Window {
    double per_second = 0;
    double without_core = 0;  // for which share of it, at most
  };

  /// Each connection waits for one thread of the server's and for the clients' thread, so it can have lost no more than the
  /// one that was without a core the longest, and the clients'.
  Window throughput() {
    const auto before = waits_for_core();
    const Nanos own = waited_for_core();
    const auto result = run_http_load(static_load(server_.port(), kCrowd, sizes_.window));
    Nanos longest{};
    for (const auto& [thread, waited] : waits_for_core()) {
      const auto known = before.find(thread);
      longest = std::max(longest, waited - (known == before.end() ? Nanos{} : known->second));
    }
    count_connections(kCrowd);
    const double lost = lab::seconds(longest + waited_for_core() - own);
    return {result.per_second(), std::min(1.0, lost / lab::seconds(sizes_.window))};
  }

  /// Of each of the server's threads.
  std::map<int, Nanos> waits_for_core() {
    std::map<int, Nanos> waits;
    for (const pid_t process : usage().processes) {
      std::error_code gone;
      for (const auto& thread :
           std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), gone)) {
        const int number = std::stoi(thread.path().filename());
        waits[number] = waited_for_core(number).value_or(Nanos{});
      }
    }
    return waits;
  }

  SlowPeersOptions peers(std::size_t count, SlowPeersOptions::Manner manner) {
    count_connections(count);
    return {.port = server_.port(),
            .peers = count,
            .manner = manner,
            .between_bytes = kBetweenBytes,
            .body_bytes = kStalledBody};
  }

  Window beset_throughput(std::size_t count) {
    const SlowPeers slow(peers(count, SlowPeersOptions::Manner::dribble));
    see_descriptors();
    const Window window = throughput();
    evidence_.slow_peers.peers_closed += slow.report().closed;
    return window;
  }

  void beside_slow_peers() {
    auto& seen = evidence_.slow_peers;
    seen.peers = 10 * kPool;
    seen.answered_at_pool = static_cast<std::uint64_t>(
        beset_throughput(kPool).per_second * lab::seconds(sizes_.window) + 0.5);
    const std::size_t most = setting_.insist ? 3 * sizes_.windows : sizes_.windows;
    for (std::size_t pair = 0; pair < most && !lab::stop_requested(); ++pair) {
      // Taken in turn, and each first as often as the other: a machine that drifts hurts both.
      const bool alone_first = pair % 2 == 0;
      if (alone_first) seen.alone.push_back(throughput().per_second);
      const Window beset = beset_throughput(seen.peers);
      seen.beset.push_back(beset.per_second);
      seen.without_core.push_back(beset.without_core);
      if (!alone_first) seen.alone.push_back(throughput().per_second);
      const bool whole = (pair + 1) % sizes_.windows == 0;
      if (whole &&
          (kept_throughput(evidence_).low >= kKept || kept_at_best(evidence_).high < kKept))
        break;
    }
  }

  void stalled_readers() {
    auto& seen = evidence_.stalled;
    seen.limit = sizes_.limits.send;
    seen.memory_counts = setting_.plan.machine.sanitizers.empty();
    server_.reset_peak();
    seen.resident_before = usage().resident_bytes;
    const SlowPeers stalled(peers(kStalledPeers, SlowPeersOptions::Manner::never_read));
    watch_until_closed(stalled);
    seen.peak = usage().peak_resident_bytes;
  }

  /// Until all are closed, or whoever is not has waited for longer than the bound.
  void watch_until_closed(const SlowPeers& stalled) {
    auto& seen = evidence_.stalled;
    const HiccupMeter hiccups;
    const Instant begin = now();
    Instant last_taken = begin;
    while (true) {
      const auto report = stalled.report();
      if (report.bytes_sent > seen.bytes_sent) last_taken = now();
      seen.bytes_sent = report.bytes_sent;
      seen.closed = report.closed;
      seen.closed_after = report.closed > 0 ? report.longest_stall : now() - last_taken;
      seen.hiccup = hiccups.worst(begin, now());
      const bool late = now() - last_taken > stalled_time_bound(seen) + kBetweenLooks;
      if (seen.closed == seen.peers || late || lab::stop_requested()) return;
      std::this_thread::sleep_for(kBetweenLooks);
    }
  }

  void idle_connections() {
    auto& seen = evidence_.idle;
    seen.asked = sizes_.idle;
    seen.resident_before = usage().resident_bytes;
    const std::size_t before = least_descriptors();
    const SlowPeers idle(peers(sizes_.idle, SlowPeersOptions::Manner::silent));
    std::size_t open = 0;
    // Until it has accepted all that it will.
    for (int same = 0; same < 20 && open < idle.report().connected; ++same) {
      std::this_thread::sleep_for(kBetweenLooks);
      const std::size_t used = usage().open_descriptors;
      const std::size_t seen_open = used - std::min(used, before);
      if (seen_open > open) same = 0;
      open = std::max(open, seen_open);
    }
    see_descriptors();
    seen.open = open;
    seen.resident = usage().resident_bytes;
  }

  void descriptors_return() {
    auto& seen = evidence_.descriptors;
    (void)wait_until([&] {
      seen.after = usage().open_descriptors;
      return seen.after <= seen.before;
    });
  }

  void exhaust() {
    auto& seen = evidence_.exhaustion;
    server_ = start(setting_, /*few_descriptors=*/true);
    seen.connections = kTooMany;
    const auto processes = usage().processes;
    {
      Connection client(server_.port(), sizes_.patience);
      if (const auto first = client.exchange(request_bytes("GET", "/")); !first)
        throw lab::Failure(first.error());
      const SlowPeers many(peers(kTooMany, SlowPeersOptions::Manner::silent));
      (void)wait_until([&] {
        const auto used = server_.usage();
        if (used)
          seen.open_descriptors = std::max(seen.open_descriptors, used->most_open_descriptors);
        return !used || seen.open_descriptors + 1 >= seen.limit;
      });
      ask_without_descriptors(client);
      const auto used = server_.usage();
      seen.alive = !server_.ended() && used && used->processes == processes;
    }
    const Instant gone = now();
    const Settling settling(sizes_.settling);
    while (seen.alive && !seen.served && !settling.over()) {
      const auto answer = exchange(server_.port(), request_bytes("GET", "/"), {}, 500ms);
      seen.waited = now() - gone;
      if (answer && answer->status == 200) seen.served = seen.waited;
    }
  }

  void ask_without_descriptors(Connection& client) {
    auto& seen = evidence_.exhaustion.connected_before;
    const HiccupMeter hiccups;
    const Instant begin = now();
    while (now() < begin + sizes_.exhausted && !lab::stop_requested()) {
      const Instant asked = now();
      const auto answer = client.exchange(request_bytes("GET", "/"));
      if (answer && answer->status == 200) {
        ++seen.answered;
        continue;
      }
      seen.hiccup = hiccups.worst(begin, now());
      if (answer) {
        seen.problem = fmt::format("status {}", answer->status);
      } else if (answer.error().code == lab::ErrorCode::timeout) {
        seen.unanswered = now() - asked;
      } else {
        seen.problem = describe(answer.error());
      }
      return;
    }
  }

  void add_metrics(TrialReport& report) const {
    auto& metrics = report.metrics;
    const auto& slow = evidence_.slow_calls;
    metrics.push_back(
        single_sample("beside_slow_call_p99_ms", "ms", Better::lower, milliseconds(slow.p99)));
    metrics.push_back(single_sample("kept_beside_slow_peers", "1", Better::higher,
                                    kept_throughput(evidence_).value));
    const auto& stalled = evidence_.stalled;
    const auto held =
        stalled.peak > stalled.resident_before ? stalled.peak - stalled.resident_before : 0;
    metrics.push_back(
        single_sample("stalled_reader_kib", "KiB", Better::lower,
                      static_cast<double>(held) / 1024 / static_cast<double>(stalled.peers)));
    const auto& idle = evidence_.idle;
    metrics.push_back(
        single_sample("idle_connections", "1", Better::higher, static_cast<double>(idle.open)));
    if (idle.open > 0 && idle.resident > idle.resident_before) {
      metrics.push_back(single_sample("idle_connection_kib", "KiB", Better::lower,
                                      static_cast<double>(idle.resident - idle.resident_before) /
                                          1024 / static_cast<double>(idle.open)));
    }
    if (evidence_.exhaustion.served)
      metrics.push_back(single_sample("served_after_exhaustion_ms", "ms", Better::lower,
                                      milliseconds(*evidence_.exhaustion.served)));
  }

  const Setting& setting_;
  const Sizes& sizes_;
  EventStream& events_;
  ServerProcess server_;
  Evidence evidence_;
  std::vector<FaultTime> faults_;
  Instant began_{};
};

}  // namespace

ServerProcess start(const Setting& setting, bool few_descriptors) {
  lab::net::ServerOptions options{.orders = to_json(setting.orders), .cpus = setting.cpus};
  if (few_descriptors) options.limits.open_descriptors = kFewDescriptors;
  return ServerProcess(options);
}

TrialReport run_trial(const Setting& setting, EventStream& events) {
  return Trial(setting, events).run();
}

}  // namespace blocking_vs_async_io
