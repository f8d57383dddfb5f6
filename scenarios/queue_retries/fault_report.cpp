#include "fault_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "observed_queue.h"

namespace queue_retries {
namespace {

using namespace lab::harness;
using namespace std::chrono_literals;

std::vector<Guard> guards(const Setting& setting, const Seen& seen) {
  const auto& evidence = seen.evidence;
  const auto claims = std::count_if(evidence.operations.begin(), evidence.operations.end(),
                                    [](const auto& op) { return op.kind == kClaim; });
  std::vector<Guard> guards{{"enough jobs were claimed",
                             static_cast<std::size_t>(claims) >= setting.sizes.jobs.load / 2,
                             fmt::format("{} claims of {} jobs", claims, evidence.jobs.size())}};
  if (setting.plan.fault == kWorkerKill) {
    for (const auto& point : seen.points) {
      if (setting.recipe.store == Store::list && point.point == kAfterAck) continue;
      guards.push_back({"a worker died " + point.point, point.hits > 0,
                        fmt::format("{} times at {} passings", point.hits, point.passed)});
    }
    const auto random = seen.workers.killed_at_random;
    guards.push_back(
        {"a worker died at a random moment", random > 0, fmt::format("{} times", random)});
  } else if (setting.plan.fault == kWorkerPause) {
    const auto taken = taken_over(evidence);
    guards.push_back({"workers slept past their lease",
                      !evidence.pauses.empty() && (!evidence.keeps || taken > 0),
                      fmt::format("{} times, and {} of their jobs were claimed by others",
                                  evidence.pauses.size(), taken)});
  } else if (seen.broker_effect) {
    guards.push_back({"clients of the broker felt the fault", seen.broker_effect->felt,
                      seen.broker_effect->detail});
  }
  return guards;
}

void add_metrics(const Seen& seen, TrialReport& report) {
  const auto& evidence = seen.evidence;
  auto& metrics = report.metrics;
  const auto add = [&](const char* name, Better better, double value) {
    metrics.push_back(single_sample(name, "1", better, value));
  };
  add("jobs", Better::neither, static_cast<double>(evidence.jobs.size()));
  add("jobs_lost", Better::lower, static_cast<double>(lost(evidence).size()));
  add("jobs_done_twice", Better::lower, static_cast<double>(doubled(evidence).size()));
  const auto dead = std::count_if(
      evidence.statuses.begin(), evidence.statuses.end(),
      [](const auto& entry) { return entry.second.state == lab::queue::JobState::dead; });
  add("jobs_dead", Better::neither, static_cast<double>(dead));
  add("jobs_buried_unspent", Better::lower, static_cast<double>(buried_unspent(evidence).size()));
  const auto& counts = seen.workers;
  add("worker_deaths", Better::neither,
      static_cast<double>(counts.killed_at_points + counts.killed_at_random +
                          counts.died_unplanned));
  for (const auto& point : seen.points) {
    metrics.push_back(single_sample("deaths_" + point.point, "1", Better::neither,
                                    static_cast<double>(point.hits)));
  }
  add("deaths_at_random", Better::neither, static_cast<double>(counts.killed_at_random));
  const auto rejected =
      std::count_if(evidence.operations.begin(), evidence.operations.end(),
                    [](const auto& op) { return op.kind == kComplete && op.aux == 0; });
  add("completions_rejected", Better::neither, static_cast<double>(rejected));
  metrics.push_back(single_sample("took_s", "s", Better::neither, lab::seconds(seen.took)));
  if (const auto peak = retry_peak(evidence); peak && evidence.keeps)
    metrics.push_back(single_sample("retry_peak_share", "1", Better::lower, *peak));
  if (const auto back = herd_back_within(evidence))
    metrics.push_back(
        single_sample("herd_back_within_ms", "ms", Better::higher, lab::milliseconds(*back)));
  const auto again = redeliveries(evidence);
  if (again.empty() || !evidence.keeps) return;
  Histogram took;
  for (const auto& redelivery : again) took.record(redelivery.back_at - redelivery.lost_at);
  metrics.push_back(single_sample("redelivery_p50_ms", "ms", Better::lower,
                                  lab::milliseconds(took.percentile(0.5))));
  metrics.push_back(single_sample("redelivery_p99_ms", "ms", Better::lower,
                                  lab::milliseconds(took.percentile(0.99))));
  metrics.push_back(single_sample("redelivery_bound_ms", "ms", Better::neither,
                                  lab::milliseconds(redelivery_bound(evidence))));
  report.histograms["redelivery"] = took;
}

/// Calls of the provider, and how long they took.
std::vector<TimePoint> timeseries(const Setting& setting, const Seen& seen) {
  constexpr Nanos kStep = 50ms;
  std::vector<TimePoint> points;
  std::size_t next = 0;
  for (Nanos t{}; t < seen.load_took; t += kStep) {
    Histogram took;
    std::uint64_t refused = 0;
    for (; next < seen.evidence.operations.size(); ++next) {
      const auto& op = seen.evidence.operations[next];
      if (op.returned >= t + kStep) break;
      if (op.kind != kEffect) continue;
      took.record(op.duration());
      refused += op.outcome != Outcome::ok;
    }
    const bool faulty =
        std::any_of(seen.faults.begin(), seen.faults.end(), [&](const FaultTime& fault) {
          return fault.began_ms < lab::milliseconds(t + kStep) &&
                 fault.ended_ms >= lab::milliseconds(t);
        });
    points.push_back({lab::milliseconds(t), took.count(), refused,
                      lab::microseconds(took.percentile(0.5)),
                      lab::microseconds(took.percentile(0.99)), faulty ? setting.plan.fault : ""});
  }
  return points;
}

}  // namespace

TrialReport report_of(const Setting& setting, const Seen& seen) {
  TrialReport report;
  report.checks = judge_all(checks(), seen.evidence);
  report.guards = guards(setting, seen);
  report.faults = seen.faults;
  add_metrics(seen, report);
  report.timeseries = timeseries(setting, seen);
  return report;
}

}  // namespace queue_retries
