#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "workload.h"

namespace thread_pools {
namespace {

using lab::milliseconds;
using lab::harness::Check;
using lab::harness::CheckResult;
using Answer = std::optional<CheckResult>;

double ms(std::int64_t nanos) {
  return milliseconds(Nanos(nanos));
}

// ---- each accepted task runs once ------------------------------------------------------------

/// What is wrong with the books of this task when shutdown() has returned, or empty. Accepted = run + given back, and each is in
/// one of the two columns: a task that still runs, or has not begun, is in neither.
std::string wrong_books(const TaskTrace& task, const ScriptEvidence& script) {
  if (!task.accepted) {
    if (task.runs == 0 && !task.given_back) return {};
    return "was rejected, and all the same it ran or came back";
  }
  if (task.runs > 1) return fmt::format("ran {} times", task.runs);
  if (task.runs == 1 && task.given_back) return "ran, and was given back as not begun";
  if (task.given_back)
    return script.how == Shutdown::drain ? "was given back by a shutdown that was to drain" : "";
  if (task.runs == 0) return "was accepted, and neither ran nor came back";
  if (task.ended == kNever) return "was accepted and began, and has not ended";
  if (script.shutdown_ended != kNever && task.ended > script.shutdown_ended)
    return fmt::format("was accepted, and ended {:.3f} ms after shutdown() had returned",
                       ms(task.ended - script.shutdown_ended));
  return {};
}

Answer runs_once(const Evidence& evidence) {
  std::uint64_t examined = 0;
  for (const auto& script : evidence.scripts) {
    if (script.script == kNested) continue;  // judged by its own check
    if (!script.death.empty() && script.script != kExceptions)
      return CheckResult::violated(
          fmt::format("script {}: the process {} with its tasks", script.script, script.death),
          examined);
    std::size_t wrong = 0;
    std::string first;
    for (std::size_t i = 0; i < script.tasks.size(); ++i) {
      const auto why = wrong_books(script.tasks[i], script);
      if (why.empty()) continue;
      if (wrong++ == 0)
        first =
            fmt::format("task {}, submitted at {:.3f} ms, {}", i, ms(script.tasks[i].invoked), why);
    }
    examined += script.tasks.size();
    if (wrong > 0)
      return CheckResult::violated(fmt::format("script {}: {} ({} of {} tasks)", script.script,
                                               first, wrong, script.tasks.size()),
                                   examined);
  }
  if (examined == 0) return CheckResult::inconclusive("no task was submitted");
  return CheckResult::holds(examined);
}

// ---- hangs -----------------------------------------------------------------------------------

std::string describe(const Stuck& stuck) {
  std::string text = fmt::format(
      "from {:.1f} ms on nothing moved for {:.0f} ms: {} tasks run, {} wait; the script was at: {}",
      milliseconds(stuck.since), milliseconds(stuck.at - stuck.since), stuck.running, stuck.waiting,
      stuck.doing);
  if (stuck.freed_by_a_bell)
    text += fmt::format("; one more task was submitted, and {:.0f} us later a waiting one began",
                        lab::microseconds(*stuck.freed_by_a_bell));
  if (!stuck.waits.empty()) text += "; stacks: " + stuck.waits;
  return text;
}

/// One worker that sleeps beside a waiting task is enough.
bool somebody_sleeps(const ScriptEvidence& script) {
  return script.stuck->waiting > 0 && script.stuck->running < script.size.workers;
}

/// A worker starts a task, or hears that the pool closes, as soon as the scheduler lets it. Being silent for the watchdog's
/// patience, which is at least four times what the machine was late in it, with no thread waiting for a core, is being silent
/// for ever.
Answer no_lost_wake_up(const Evidence& evidence) {
  std::string unclear;
  std::uint64_t examined = 0;
  for (const auto& script : evidence.scripts) {
    if (script.script == kNested) continue;
    examined += script.tasks.size();
    if (!script.stuck) continue;
    const std::string what = fmt::format("script {}: {}", script.script, describe(*script.stuck));
    if (script.stuck->running == 0 || somebody_sleeps(script))
      return CheckResult::violated(what, examined);
    unclear = what;
  }
  if (!unclear.empty()) return CheckResult::inconclusive(unclear, examined);
  for (const char* name : {kWakeUps, kBehind}) {
    const auto* script = evidence.script(name);
    if (script == nullptr || !script->death.empty() || script->tasks.empty())
      return CheckResult::inconclusive(fmt::format("script {} was not played", name));
  }
  return CheckResult::holds(examined);
}

Answer nested_wait_ends(const Evidence& evidence) {
  const auto* script = evidence.script(kNested);
  if (script == nullptr || !script->death.empty())
    return CheckResult::inconclusive("the nested wait was not played");
  if (script->stuck)
    return CheckResult::violated(
        fmt::format("a pool of {}: {}", script->size.workers, describe(*script->stuck)), 1);
  if (!script->nested_done || !*script->nested_done)
    return CheckResult::violated("run_and_wait() returned and the child had not run", 1);
  return CheckResult::holds(script->tasks.size());
}

// ---- the queue's limit -----------------------------------------------------------------------

/// How many tasks a pool may have accepted and not ended.
std::size_t limit_of(const ScriptEvidence& script) {
  return script.size.queue_limit + script.size.workers;
}

struct Step {
  std::int64_t at = 0;
  std::int64_t unfinished = 0;  // from here on
};

/// How many tasks were accepted and had not ended. `came` says when a task counts as come: as late as possible (submit() has
/// returned) for what a pool certainly held, as early as possible (submit() was called) for what it may have held.
std::vector<Step> unfinished(const std::vector<TaskTrace>& tasks, std::int64_t TaskTrace::*came) {
  std::vector<std::pair<std::int64_t, int>> changes;  // of those at one time, who goes is first
  for (const auto& task : tasks) {
    if (!task.accepted || task.given_back) continue;
    changes.emplace_back(task.*came, 1);
    if (task.ended != kNever) changes.emplace_back(std::max(task.ended, task.*came), -1);
  }
  std::sort(changes.begin(), changes.end());
  std::vector<Step> steps{{kNever, 0}};
  for (const auto& [at, change] : changes) steps.push_back({at, steps.back().unfinished + change});
  return steps;
}

std::int64_t most_within(const std::vector<Step>& steps, std::int64_t begin, std::int64_t end) {
  auto step = std::upper_bound(steps.begin(), steps.end(), begin,
                               [](std::int64_t at, const Step& each) { return at < each.at; });
  std::int64_t most = std::prev(step)->unfinished;
  // What ended at this very moment may still have been there.
  while (step != steps.begin() && std::prev(step)->at == begin) --step;
  if (step != steps.begin()) most = std::max(most, std::prev(step)->unfinished);
  for (; step != steps.end() && step->at <= end; ++step) most = std::max(most, step->unfinished);
  return most;
}

/// How many tasks were seen between their first and their last line at once.
std::size_t most_running(const std::vector<TaskTrace>& tasks) {
  std::vector<std::pair<std::int64_t, int>> changes;  // of those at one time, who ends is first
  for (const auto& task : tasks) {
    if (task.began == kNever) continue;
    changes.emplace_back(task.began, 1);
    if (task.ended != kNever) changes.emplace_back(task.ended, -1);
  }
  std::sort(changes.begin(), changes.end());
  int running = 0, most = 0;
  for (const auto& [at, change] : changes) most = std::max(most, running += change);
  return static_cast<std::size_t>(most);
}

/// Rejected although there was room and the pool was open.
bool turned_away_wrongly(const TaskTrace& task, const std::vector<Step>& held,
                         const ScriptEvidence& script) {
  if (task.accepted) return false;
  if (script.shutdown_began != kNever && task.returned >= script.shutdown_began) return false;
  return most_within(held, task.invoked, task.returned) <
         static_cast<std::int64_t>(script.size.queue_limit);
}

Answer too_many_held(const Evidence& evidence) {
  for (const auto& script : evidence.scripts) {
    const std::size_t most = most_unfinished(script);
    if (most <= limit_of(script)) continue;
    return CheckResult::violated(
        fmt::format("script {}: {} tasks were accepted and unfinished at once; {} workers and a "
                    "queue of {} are {}",
                    script.script, most, script.size.workers, script.size.queue_limit,
                    limit_of(script)),
        script.tasks.size());
  }
  return std::nullopt;
}

Answer bounded(const Evidence& evidence) {
  // Of a pool that breaks both, what it holds says more than what it runs.
  if (const auto answer = too_many_held(evidence)) return answer;
  std::uint64_t examined = 0;
  for (const auto& script : evidence.scripts) {
    examined += script.tasks.size();
    if (const std::size_t running = most_running(script.tasks); running > script.size.workers)
      return CheckResult::violated(fmt::format("script {}: {} tasks ran at once, on {} workers",
                                               script.script, running, script.size.workers),
                                   examined);
    auto could_be_held = script.tasks;  // a task that came back was held, too
    for (auto& task : could_be_held) task.given_back = false;
    const auto held = unfinished(could_be_held, &TaskTrace::invoked);
    for (std::size_t i = 0; i < script.tasks.size(); ++i) {
      if (!turned_away_wrongly(script.tasks[i], held, script)) continue;
      return CheckResult::violated(
          fmt::format("script {}: task {} was rejected at {:.3f} ms, with {} tasks unfinished and "
                      "room for {}",
                      script.script, i, ms(script.tasks[i].invoked),
                      most_within(held, script.tasks[i].invoked, script.tasks[i].returned),
                      limit_of(script)),
          examined);
    }
  }
  const auto* crowd = evidence.script(kCrowd);
  if (crowd == nullptr || crowd->tasks.empty())
    return CheckResult::inconclusive("no crowd came to the door");
  return CheckResult::holds(examined);
}

// ---- exceptions ------------------------------------------------------------------------------

Answer exception_arrives(const Evidence& evidence) {
  for (const auto& script : evidence.scripts) {
    if (!script.death.empty())
      return CheckResult::violated(
          fmt::format("script {}: the process {}", script.script, script.death), 1);
    for (std::size_t i = 0; i < script.tasks.size(); ++i) {
      const auto& task = script.tasks[i];
      const std::uint32_t expected = task.threw ? 1 : 0;
      if (task.failures == expected || task.ended == kNever) continue;
      return CheckResult::violated(fmt::format("script {}: task {} threw {} times, and its owner "
                                               "was told {} times",
                                               script.script, i, expected, task.failures),
                                   1);
    }
  }
  const auto* script = evidence.script(kExceptions);
  if (script == nullptr) return CheckResult::inconclusive("nothing was thrown");
  if (script->stuck) return CheckResult::inconclusive(describe(*script->stuck));
  if (script->futures_wrong > 0)
    return CheckResult::violated(
        fmt::format("{} of {} futures brought something else than what their task returned or "
                    "threw",
                    script->futures_wrong, script->futures_wrong + script->futures_kept),
        script->futures_kept);
  if (script->futures_kept == 0) return CheckResult::inconclusive("no future was asked");
  return CheckResult::holds(script->futures_kept);
}

// ---- shutdown --------------------------------------------------------------------------------

Answer nothing_after(const Evidence& evidence) {
  std::uint64_t examined = 0;
  for (const auto& script : evidence.scripts) {
    if (script.shutdown_ended == kNever) continue;
    std::size_t late = 0;
    std::int64_t last = 0;
    for (const auto& task : script.tasks) {
      const bool runs =
          task.runs > 0 && (task.ended == kNever || task.ended > script.shutdown_ended);
      if (!runs) continue;
      ++late;
      last = std::max({last, task.began, task.ended});
    }
    examined += script.tasks.size();
    if (late > 0)
      return CheckResult::violated(
          fmt::format("script {}: shutdown() returned at {:.3f} ms; {} tasks began or ran after "
                      "that, the last was seen at {:.3f} ms",
                      script.script, ms(script.shutdown_ended), late, ms(last)),
          examined);
  }
  for (const char* name : {kCloseDrain, kCloseGiveBack}) {
    const auto* script = evidence.script(name);
    if (script == nullptr || script->shutdown_ended == kNever)
      return CheckResult::inconclusive(fmt::format("script {} did not come to its end", name));
  }
  return CheckResult::holds(examined);
}

// ---- the bystander ---------------------------------------------------------------------------

Nanos percentile_99(const ScriptEvidence& script,
                    const std::function<std::int64_t(const Bystander&)>& of) {
  std::vector<std::int64_t> values;
  for (const auto& each : script.bystanders) values.push_back(of(each));
  if (values.empty()) return Nanos{0};
  const auto rank = static_cast<std::ptrdiff_t>((values.size() * 99 + 99) / 100 - 1);
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return Nanos(values[static_cast<std::size_t>(rank)]);
}

/// The loop needs microseconds for a request. If it does none of the work itself, a request waits only when the loop has no core:
/// that is taken off, request by request, where it happened (core_wait.h). Who has a lock may be without a core as well: of what the
/// loop waited for somebody, as much is taken off as threads of this process were woken late at worst. What the loop computed is not
/// excused by anything, and the bound is one whole hash: a pool that keeps every core busy earns nothing for a loop that hashes.
Answer not_frozen(const Evidence& evidence) {
  const auto* script = evidence.script(kLogins);
  if (script == nullptr || !script->death.empty())
    return CheckResult::inconclusive("the logins were not played to the end");
  if (script->stuck) return CheckResult::inconclusive(describe(*script->stuck));
  const std::size_t count = script->bystanders.size();
  if (count < kFewestPings)
    return CheckResult::inconclusive(
        fmt::format("{} requests are too few for a 99th percentile", count), count);
  const Nanos p99 = percentile_99(*script, [&](const Bystander& each) {
    return each.latency - each.no_core - std::min(each.waited, script->hiccup.count());
  });
  if (p99 <= script->one_hash) return CheckResult::holds(count);
  return CheckResult::violated(
      fmt::format(
          "99 of 100 other requests waited up to {:.1f} ms, not counting the time without "
          "a core; one hash takes {:.1f} ms, and threads were woken late by {:.1f} ms at worst",
          milliseconds(p99), milliseconds(script->one_hash), milliseconds(script->hiccup)),
      count);
}

}  // namespace

std::size_t most_unfinished(const ScriptEvidence& script) {
  // Without those that came back: when they left, is not known.
  std::int64_t most = 0;
  for (const auto& step : unfinished(script.tasks, &TaskTrace::returned))
    most = std::max(most, step.unfinished);
  return static_cast<std::size_t>(most);
}

Nanos bystander_p99(const ScriptEvidence& script) {
  return percentile_99(script, [](const Bystander& each) { return each.latency; });
}

const std::vector<Check<Evidence>>& checks() {
  static const std::vector<Check<Evidence>> all{
      {kRunsOnce,
       "when shutdown() has returned, every accepted task has run once or was given back, and no "
       "rejected one has",
       runs_once},
      {kNoLostWakeUp, "no accepted task waits while a worker sleeps, and no shutdown while all do",
       no_lost_wake_up},
      {kNestedWaitEnds,
       "a task that waits for a task of its own pool gets its answer, in a pool of one",
       nested_wait_ends},
      {kBounded,
       "at most as many tasks run at once as there are workers, at most workers + limit are "
       "unfinished, and only at the limit one is rejected",
       bounded},
      {kExceptionArrives, "what a task throws reaches its future, and its worker lives on",
       exception_arrives},
      {kNothingAfter, "when shutdown() has returned, nothing runs and nothing begins",
       nothing_after},
      {kNotFrozen,
       "the p99 of the API's other requests stays below one hash, the time without a core not "
       "counted",
       not_frozen},
  };
  return all;
}

}  // namespace thread_pools
