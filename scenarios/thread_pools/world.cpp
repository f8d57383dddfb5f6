#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "actors/actor.h"
#include "checks.h"
#include "core/result.h"
#include "core/stop.h"
#include "scripts.h"
#include "speed.h"

namespace thread_pools {
namespace {

using namespace lab::harness;
using lab::actors::Actor;
using namespace std::chrono_literals;

constexpr Nanos kLongest =
    60s;  // for a process that not even its watchdog can end; more where more logins are asked for

Placement everywhere(const Placement& chosen) {
  Placement placement = chosen;
  std::set<int> cpus(chosen.load.begin(), chosen.load.end());
  cpus.insert(chosen.servers.begin(), chosen.servers.end());
  placement.load = placement.servers = {cpus.begin(), cpus.end()};
  placement.text = fmt::format("on all {} CPUs, without servers", cpus.size());
  return placement;
}

/// What a process told as its one line, or why it did not.
struct Told {
  std::string line;
  std::string death;
};

Told ask(const char* role, std::string orders, Nanos limit) {
  Actor actor({.role = role, .orders = std::move(orders), .cpus = {}});
  const auto until = lab::now() + limit;
  while (lab::now() < until && !lab::stop_requested()) {
    auto line = actor.next_line(100ms);
    if (line) return {std::move(*line), {}};
    if (line.error().code != lab::ErrorCode::closed) continue;
    const auto ending = actor.wait(1s);
    return {{}, ending ? describe(*ending) : "closed its mouth and stayed"};
  }
  actor.kill();
  return {{}, fmt::format("said nothing for {:.0f} s and was killed", lab::seconds(limit))};
}

class World : public Session {
 public:
  explicit World(RunPlan& plan) : plan_(plan), cores_(plan.placement.load.size()) {
    orders_.cores = cores_;
    orders_.length = plan.timing.round;
    orders_.pbkdf2 = pbkdf2_taking(1ms);
    orders_.argon2id = {.kind = HashKind::argon2id, .passes = 1, .memory_kib = 1024};
    orders_.steps_per_us = std::max<std::uint64_t>(1, steps_taking(1ms) / 1'000);
    orders_.logins = plan.flags.quick ? 16 : 60;
    orders_.seed = plan.flags.seed;
  }

  std::vector<ServerUsed> servers() const override { return {}; }

  std::string load_in_words() const override {
    const auto all = orders_for("", plan_, cores_);
    const auto& orders = *std::find_if(all.begin(), all.end(),
                                       [](const Orders& each) { return each.script == kLogins; });
    return fmt::format(
        "{} logins (Argon2id, {} KiB, {} pass) through a pool of {} workers and a queue of {}, "
        "another request every {:.0f} ms; {} scripts, each in a process of its own, ended when "
        "nothing moves for {:.0f} ms; speed: PBKDF2 with {} iterations, Argon2id with {} KiB, "
        "empty tasks",
        orders.logins, orders.login.memory_kib, orders.login.passes, orders.size.workers,
        orders.size.queue_limit, lab::milliseconds(kPingEvery), scripts().size(),
        lab::milliseconds(orders.patience), orders_.pbkdf2.passes, orders_.argon2id.memory_kib);
  }

  TrialReport trial(const Variant& variant, EventStream& events) override;
  RoundReport round(const Variant& variant, int) override;
  std::vector<Limit> limits(int) override { return measure_limits(orders_); }

 private:
  ScriptEvidence evidence_of(const Orders& orders, EventStream& events);

  RunPlan plan_;
  const std::size_t cores_;
  RoundOrders orders_;
  std::set<std::string> hangs_;  // variants that would hang in a timed round, too
};

ScriptEvidence World::evidence_of(const Orders& orders, EventStream& events) {
  // No hash takes a second, even on one core.
  const Told told =
      ask(kScriptRole, to_json(orders), kLongest + std::chrono::seconds(orders.logins / 10));
  ScriptEvidence evidence;
  if (told.death.empty()) {
    evidence = evidence_from_json(told.line);
  } else {
    evidence.script = orders.script;
    evidence.size = orders.size;
    evidence.death = told.death;
  }
  if (evidence.stuck || !evidence.death.empty()) {
    events.emit("hang", {{"variant", orders.variant},
                         {"script", orders.script},
                         {"what", evidence.stuck ? evidence.stuck->doing : evidence.death}});
  }
  return evidence;
}

double microseconds(Nanos duration) {
  return lab::microseconds(duration);
}

std::vector<Metric> figures(const Evidence& evidence) {
  std::vector<Metric> metrics;
  std::size_t most = 0;
  for (const auto& script : evidence.scripts) most = std::max(most, most_unfinished(script));
  metrics.push_back(
      single_sample("most_unfinished_tasks", "1", Better::neither, static_cast<double>(most)));
  if (const auto* logins = evidence.script(kLogins); logins && logins->one_hash > 0ns) {
    metrics.push_back(
        single_sample("one_hash_us", "us", Better::neither, microseconds(logins->one_hash)));
    metrics.push_back(single_sample("storm_bystander_p99_us", "us", Better::lower,
                                    microseconds(bystander_p99(*logins))));
  }
  for (const auto& script : evidence.scripts) {
    if (!script.stuck) continue;
    metrics.push_back(single_sample("hang_seen_after_ms", "ms", Better::neither,
                                    lab::milliseconds(script.stuck->at - script.stuck->since)));
    break;
  }
  return metrics;
}

TrialReport World::trial(const Variant& variant, EventStream& events) {
  Evidence evidence{.variant = variant.name, .fault = plan_.fault, .scripts = {}};
  for (const auto& orders : orders_for(variant.name, plan_, cores_)) {
    if (lab::stop_requested()) return {};
    evidence.scripts.push_back(evidence_of(orders, events));
    if (evidence.scripts.back().stuck && orders.script != kNested) hangs_.insert(variant.name);
  }
  TrialReport report;
  report.checks = judge_all(checks(), evidence);
  report.metrics = figures(evidence);
  std::size_t tasks = 0;
  for (const auto& script : evidence.scripts) tasks += script.tasks.size();
  report.guards = {{"tasks were submitted", tasks > 0, fmt::format("{} tasks", tasks)}};
  if (const auto* logins = evidence.script(kLogins)) {
    Histogram histogram;
    for (const auto& each : logins->bystanders) histogram.record(Nanos(each.latency));
    if (!histogram.empty()) report.histograms["storm_bystander"] = std::move(histogram);
  }
  return report;
}

RoundReport World::round(const Variant& variant, int) {
  if (hangs_.contains(variant.name)) return {};
  orders_.variant = variant.name;
  // A profile is of one process: this one.
  if (!plan_.flags.cpu_profile.empty()) return measure_round(orders_);
  const Told told = ask(kRoundRole, to_json(orders_), kLongest);
  if (told.death.empty()) return report_from_json(told.line);
  RoundReport spoiled;
  spoiled.spoiled = "its process " + told.death;
  return spoiled;
}

}  // namespace

Timing timing(const Flags& flags) {
  Timing timing;
  timing.steady = flags.duration.value_or(
      flags.quick ? 600ms : 2s);  // only an estimate: scripts end by themselves
  timing.round = flags.quick ? 25ms : 100ms;
  timing.rounds = flags.quick ? 3 : 7;
  return timing;
}

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream&) {
  plan.placement = everywhere(plan.placement);
  apply_to_this_process(plan.placement);
  return std::make_unique<World>(plan);
}

}  // namespace thread_pools
