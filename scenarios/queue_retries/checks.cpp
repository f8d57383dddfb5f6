#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "heartbeat.h"

namespace queue_retries {
namespace {

using lab::milliseconds;
using lab::harness::Check;
using lab::harness::CheckResult;
using lab::harness::Operation;
using lab::harness::Outcome;
using lab::queue::JobState;
using Answer = std::optional<CheckResult>;

constexpr std::size_t kEnoughRetries = 40;
constexpr double kWindow = 0.4;
// At most this share may come within the fullest window of all that there are, which holds 25 of 48 uniform retries on average.
// That some window of width w holds k of n uniform points has, for k > n/2 and w <= 1/2, exactly the probability
// (k/w - n - 1) P(X = k) + 2 P(X >= k), X binomial with n and w (Naus, 1965). For more than this share it is largest at n = 41:
// 5 in a million; of a whole herd of 48 it is 3 in ten million. Without jitter all come within one.
constexpr double kPeak = 0.8;

using ByJob = std::map<std::int64_t, std::vector<const Operation*>>;

ByJob by_job(const Evidence& evidence) {
  ByJob jobs;
  for (const auto& op : evidence.operations) jobs[op.key].push_back(&op);
  return jobs;
}

/// How often a job may be there. A queue that remembers no ids may have it again for each time that its producer asked again,
/// and for each report of a failure that was cut off: the next attempt may be there beside the one that failed.
class Copies {
 public:
  explicit Copies(const Evidence& evidence) {
    if (evidence.remembers_ids) return;
    for (const auto& enqueued : evidence.jobs) more_[enqueued.job.number] = enqueued.tries - 1;
    for (const auto& op : evidence.operations) {
      if (op.kind == kFail && op.outcome == Outcome::info) ++more_[op.key];
    }
  }
  std::int64_t of(std::int64_t job) const {
    const auto found = more_.find(job);
    return found == more_.end() ? 1 : 1 + found->second;
  }

 private:
  std::map<std::int64_t, std::int64_t> more_;
};

std::string at(Nanos time) {
  return fmt::format("{:.1f} ms", milliseconds(time));
}

/// "claimed by worker 2 at 131.0 ms (epoch 1), …": the job's life, for witnesses.
std::string life_of(const Evidence& evidence, std::int64_t job) {
  std::string text;
  int told = 0;
  for (const auto& op : evidence.operations) {
    if (op.key != job || ++told > 12) continue;
    const std::string who = fmt::format("worker {} at {}", op.client, at(op.returned));
    text += text.empty() ? "" : ", ";
    switch (op.kind) {
      case kClaim: text += fmt::format("claimed by {} (epoch {})", who, op.value); break;
      case kEffect:
        text += fmt::format("{} by {}",
                            op.outcome == Outcome::ok     ? "done"
                            : op.outcome == Outcome::fail ? "refused"
                                                          : "begun",
                            who);
        break;
      case kComplete:
        text += fmt::format("completed by {} (epoch {}, {})", who, op.value,
                            op.aux == 1 ? "accepted" : "rejected");
        break;
      case kFail: text += fmt::format("failed by {} (epoch {})", who, op.value); break;
      default: break;
    }
  }
  return text.empty() ? "no worker wrote of it" : text;
}

const lab::queue::JobStatus* status_of(const Evidence& evidence, std::int64_t job) {
  const auto found = evidence.statuses.find(job);
  return found == evidence.statuses.end() ? nullptr : &found->second;
}

bool is_dead(const Evidence& evidence, std::int64_t job) {
  const auto* status = status_of(evidence, job);
  return status && status->state == JobState::dead;
}

/// Accepted jobs = done + dead; and nothing that nobody asked for.
Answer no_job_lost(const Evidence& evidence) {
  std::set<std::int64_t> known;
  for (const auto& enqueued : evidence.jobs) known.insert(enqueued.job.number);
  for (const auto& [job, count] : evidence.effects) {
    if (!known.contains(job))
      return CheckResult::violated(fmt::format("job {} was done and never enqueued", job),
                                   known.size());
  }
  const auto gone = lost(evidence);
  if (!gone.empty()) {
    const auto& first = *gone.front();
    const auto* status = status_of(evidence, first.job.number);
    return CheckResult::violated(
        fmt::format(
            "{} of {} accepted jobs lost; {} was accepted at {}: {}; it had no effect{}",
            gone.size(), known.size(), first.job.id(), at(first.returned),
            life_of(evidence, first.job.number),
            status ? fmt::format(", the queue calls it {}", name(status->state)) : std::string()),
        known.size());
  }
  if (!evidence.drained) return CheckResult::inconclusive("jobs were still waiting at the end");
  return CheckResult::holds(known.size());
}

Answer one_effect_per_job(const Evidence& evidence) {
  const auto twice = doubled(evidence);
  if (twice.empty()) return CheckResult::holds(evidence.effects.size());
  return CheckResult::violated(
      fmt::format("{} of {} jobs were done more than once; job {}: {} effects: {}", twice.size(),
                  evidence.effects.size(), twice.front(), evidence.effects.at(twice.front()),
                  life_of(evidence, twice.front())),
      evidence.effects.size());
}

/// Begun no more often than the limit; dead only at the limit, and with the reason.
Answer attempts_within_limit(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  std::set<std::int64_t> examined;
  for (const auto& op : evidence.operations) {
    if (op.kind != kClaim) continue;
    examined.insert(op.key);
    if (op.aux <= kMaxAttempts) continue;
    return CheckResult::violated(fmt::format("attempt {} of job {} was begun, of {}: {}", op.aux,
                                             op.key, kMaxAttempts, life_of(evidence, op.key)),
                                 examined.size());
  }
  for (const auto& [job, status] : evidence.statuses) {
    const bool spent = status.attempts == status.max_attempts;
    const bool stalled = status.stalls > kMaxStalls;
    const bool dead = status.state == JobState::dead;
    examined.insert(job);
    const bool reason = !status.history.empty() && (stalled || !status.last_error.empty());
    if (status.attempts <= status.max_attempts && (!dead || ((spent || stalled) && reason)))
      continue;
    return CheckResult::violated(
        fmt::format("job {} is {} after {} of {} attempts and {} stalls, last error '{}': {}", job,
                    name(status.state), status.attempts, status.max_attempts, status.stalls,
                    status.last_error, life_of(evidence, job)),
        examined.size());
  }
  if (examined.empty())
    return CheckResult::inconclusive("no job was claimed, and the queue told of none");
  return CheckResult::holds(examined.size());
}

/// When which worker was not there. One's absences do not overlap.
class Absences {
 public:
  explicit Absences(const std::vector<Absence>& all) {
    for (const auto& absence : all) of_worker_[absence.worker].push_back(absence);
    for (auto& [worker, absences] : of_worker_)
      std::sort(absences.begin(), absences.end(),
                [](const Absence& a, const Absence& b) { return a.end < b.end; });
  }
  bool any(std::uint32_t worker, Nanos from, Nanos to) const {
    const auto found = of_worker_.find(worker);
    if (found == of_worker_.end()) return false;
    const auto first =
        std::lower_bound(found->second.begin(), found->second.end(), from,
                         [](const Absence& absence, Nanos time) { return absence.end < time; });
    return first != found->second.end() && first->begin <= to;
  }
  /// Any worker.
  bool any(Nanos from, Nanos to) const {
    return std::any_of(of_worker_.begin(), of_worker_.end(),
                       [&](const auto& worker) { return any(worker.first, from, to); });
  }

 private:
  std::map<std::uint32_t, std::vector<Absence>> of_worker_;
};

/// What a worker and a queue took for jobs that waited: it may sleep or be at work, and where there is no front of the queue,
/// others wait before it. Each is what the run itself measured. Where a worker that is at work has others, those that have waited
/// for a long one are the other long ones: the script enqueues them when everything else is done.
Nanos taken_by_others(const Evidence& evidence, Trait trait) {
  Nanos longest_turn{}, longest_wait{};
  std::map<std::uint32_t, Nanos> last_claim;
  std::map<std::int64_t, bool> seen;
  std::map<std::int64_t, const Enqueuing*> jobs;
  for (const auto& enqueued : evidence.jobs) jobs[enqueued.job.number] = &enqueued;
  const Absences deaths(evidence.deaths), pauses(evidence.pauses);
  for (const auto& op : evidence.operations) {
    const auto job = jobs.find(op.key);
    if (job == jobs.end()) continue;
    if (op.kind == kClaim) last_claim[op.client] = op.returned;
    const bool slow = job->second->job.trait == Trait::slow;
    if (slow && trait != Trait::slow && evidence.handed_out_ahead) continue;
    const auto began = last_claim.find(op.client);
    // While one works on a long job, the others are there, unless it has what they could take. What has no answer ended
    // with its worker.
    const bool at_work = began != last_claim.end() && (!slow || evidence.handed_out_ahead) &&
                         op.outcome != Outcome::info &&
                         !deaths.any(op.client, began->second, op.returned) &&
                         !pauses.any(op.client, began->second, op.returned);
    if (at_work) longest_turn = std::max(longest_turn, op.returned - began->second);
    if (op.kind != kClaim || std::exchange(seen[op.key], true)) continue;
    longest_wait =
        std::max(longest_wait, op.returned - job->second->returned - job->second->job.delay);
  }
  return longest_turn + longest_wait + 2 * evidence.hiccup;
}

/// By when a job must be in somebody's hands again.
class Bounds {
 public:
  explicit Bounds(const Evidence& evidence)
      : usual_(redelivery_bound(evidence)), of_slow_(redelivery_bound(evidence, Trait::slow)) {
    for (const auto& enqueued : evidence.jobs) {
      if (enqueued.job.trait == Trait::slow) slow_.insert(enqueued.job.number);
    }
  }
  Nanos of(std::int64_t job) const { return slow_.contains(job) ? of_slow_ : usual_; }

 private:
  const Nanos usual_, of_slow_;
  std::set<std::int64_t> slow_;
};

/// The attempt after a failure: not before the delay that was asked for, which was within the policy's bounds, and not later
/// than a redelivery may be. Where a job is there twice, one's claim says nothing about the other's retry.
Answer retry_within_backoff(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  std::uint64_t examined = 0;
  const Bounds bounds(evidence);
  const Copies copies(evidence);
  const Absences pauses(evidence.pauses);
  for (const auto& [job, operations] : by_job(evidence)) {
    if (copies.of(job) > 1) continue;
    const Nanos lateness = bounds.of(job) + evidence.rounding;
    // Of each worker's own claim: one that slept may write down an early claim after another's later one.
    std::map<std::uint32_t, std::int64_t> attempts;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const auto& failed = *operations[i];
      if (failed.kind == kClaim) attempts[failed.client] = failed.aux;
      if (failed.kind != kFail || failed.outcome != Outcome::ok) continue;
      const std::int64_t attempt = attempts.contains(failed.client) ? attempts[failed.client] : 1;
      const auto [least, most] = evidence.retry.bounds(static_cast<int>(attempt));
      const Nanos delay(failed.aux);
      if (delay < least || delay > most)
        return CheckResult::violated(
            fmt::format("job {}: after attempt {} a delay of {} was asked for, outside {} to {}",
                        job, attempt, at(delay), at(least), at(most)),
            examined);
      const auto next = std::find_if(
          operations.begin() + static_cast<std::ptrdiff_t>(i) + 1, operations.end(),
          [&](const Operation* op) { return op->kind == kClaim && op->value > failed.value; });
      if (next == operations.end()) continue;
      ++examined;
      const Nanos gap = (*next)->returned - failed.invoked;
      if (gap < delay)
        return CheckResult::violated(
            fmt::format("job {} was retried after {}, before its delay of {} was over: {}", job,
                        at(gap), at(delay), life_of(evidence, job)),
            examined);
      // One that was stopped as it claimed has written it down late; and so long as its connection lasts, it has what it was
      // handed ahead. One that was killed as it claimed never wrote: a lease for that is in the bound.
      const bool excused = evidence.handed_out_ahead
                               ? pauses.any(failed.returned, (*next)->returned)
                               : pauses.any((*next)->client, failed.returned, (*next)->returned);
      if (excused || (*next)->returned - failed.returned <= delay + lateness) continue;
      return CheckResult::violated(
          fmt::format(
              "job {} was retried after {}, long after its delay of {}; at most {} more are "
              "explained: {}",
              job, at(gap), at(delay), at(lateness), life_of(evidence, job)),
          examined);
    }
  }
  if (examined == 0) return CheckResult::inconclusive("no attempt failed and was retried");
  return CheckResult::holds(examined);
}

/// The herd's first retries, counted from each one's failure.
struct HerdRetries {
  std::vector<Nanos> asked_for, came_after;
};
HerdRetries retries_of_herd(const Evidence& evidence) {
  std::set<std::int64_t> herd;
  for (const auto& enqueued : evidence.jobs) {
    if (enqueued.job.trait == Trait::herd) herd.insert(enqueued.job.number);
  }
  HerdRetries retries;
  std::map<std::int64_t, const Operation*> failed;
  for (const auto& op : evidence.operations) {
    if (!herd.contains(op.key)) continue;
    if (op.kind == kFail && op.outcome == Outcome::ok) failed.try_emplace(op.key, &op);
    const auto before = failed.find(op.key);
    if (op.kind != kClaim || before == failed.end() || op.value <= before->second->value) continue;
    retries.asked_for.emplace_back(before->second->aux);
    retries.came_after.push_back(op.returned - before->second->returned);
    herd.erase(op.key);
  }
  return retries;
}

Nanos spread_over(const Evidence& evidence) {
  return evidence.retry.bounds(1).most;
}

/// The largest share of them within kWindow of what they could have been spread over.
std::optional<double> peak_of(std::vector<Nanos> gaps, const Evidence& evidence) {
  if (spread_over(evidence) == Nanos{} || gaps.size() < kEnoughRetries) return std::nullopt;
  std::sort(gaps.begin(), gaps.end());
  const auto width = Nanos(
      static_cast<std::int64_t>(kWindow * static_cast<double>(spread_over(evidence).count())));
  std::size_t most = 0, first = 0;
  for (std::size_t last = 0; last < gaps.size(); ++last) {
    while (gaps[last] - gaps[first] > width) ++first;
    most = std::max(most, last - first + 1);
  }
  return static_cast<double>(most) / static_cast<double>(gaps.size());
}

/// Could what stood still for so long have gathered what was asked to come apart? What became due meanwhile comes with what
/// is due in the window after it.
bool gathered_by_a_hiccup(const Evidence& evidence) {
  const auto asked = peak_of(retries_of_herd(evidence).asked_for, evidence);
  const double late = lab::seconds(evidence.hiccup) / lab::seconds(spread_over(evidence));
  return asked && *asked <= kPeak && late + kWindow > kPeak;
}

Answer retries_spread(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  const auto peak = retry_peak(evidence);
  if (!peak) return CheckResult::inconclusive("too few jobs failed together and were retried");
  if (*peak <= kPeak) return CheckResult::holds(kEnoughRetries);
  if (gathered_by_a_hiccup(evidence))
    return CheckResult::inconclusive(
        fmt::format("the jobs that failed together were asked for at different times and came back "
                    "together, but everything was late by up to {}",
                    at(evidence.hiccup)),
        kEnoughRetries);
  return CheckResult::violated(
      fmt::format("{:.0f} % of the jobs that failed together came back within {:.0f} % of the "
                  "time that they could have been spread over",
                  *peak * 100, kWindow * 100),
      kEnoughRetries);
}

Answer redelivered_in_time(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  const auto all = redeliveries(evidence);
  if (all.empty()) return CheckResult::inconclusive("no worker died with a job in hand");
  const Bounds bounds(evidence);
  for (const auto& redelivery : all) {
    const Nanos took = redelivery.back_at - redelivery.lost_at;
    const Nanos bound =
        bounds.of(redelivery.job) + (redelivery.again ? evidence.noticed + evidence.idle : Nanos{});
    if (took <= bound) continue;
    return CheckResult::violated(
        fmt::format("job {} was claimed again {} after worker {} had died with it; the bound is "
                    "{}: {}",
                    redelivery.job, at(took), redelivery.worker, at(bound),
                    life_of(evidence, redelivery.job)),
        all.size());
  }
  std::vector<Redelivery> sorted = all;
  const auto took = [](const Redelivery& one) { return one.back_at - one.lost_at; };
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end(),
                   [&](const auto& a, const auto& b) { return took(a) < took(b); });
  const Nanos usual = median_redelivery_bound(evidence);
  if (took(*middle) <= usual) return CheckResult::holds(all.size());
  return CheckResult::violated(fmt::format("half of the {} jobs whose worker had died were claimed "
                                           "again after {} or later; the bound "
                                           "is {}; job {}: {}",
                                           all.size(), at(took(*middle)), at(usual), middle->job,
                                           life_of(evidence, middle->job)),
                               all.size());
}

/// Only the latest claim of a job can complete it, and only once; of each copy, where there may be several.
Answer late_completion_rejected(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  std::uint64_t examined = 0;
  const Copies all(evidence);
  for (const auto& [job, operations] : by_job(evidence)) {
    std::int64_t latest = 0;
    const auto copies = all.of(job);
    std::int64_t completions = 0;
    const Operation* accepted = nullptr;
    for (const auto* op : operations) {
      if (op->kind == kClaim) latest = std::max(latest, op->value);
      if (op->kind != kComplete) continue;
      ++examined;
      if (op->aux != 1) continue;
      if (++completions > copies)
        return CheckResult::violated(
            fmt::format("job {} was completed {}: {}", job,
                        completions == 2 ? "twice" : "too often", life_of(evidence, job)),
            examined);
      accepted = op;
    }
    if (accepted && copies == 1 && accepted->value < latest)
      return CheckResult::violated(
          fmt::format("job {}: a completion of epoch {} was accepted although it was claimed again "
                      "as epoch {}: {}",
                      job, accepted->value, latest, life_of(evidence, job)),
          examined);
  }
  if (examined == 0) return CheckResult::inconclusive("nothing was completed");
  return CheckResult::holds(examined);
}

/// A job that takes longer than its lease is claimed once, while its worker is there to renew it.
Answer heartbeat_keeps_lease(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  const auto jobs = by_job(evidence);
  const Absences deaths(evidence.deaths), pauses(evidence.pauses);
  std::uint64_t examined = 0;
  bool unclear = false, undisturbed = false;
  for (const auto& enqueued : evidence.jobs) {
    const auto found = jobs.find(enqueued.job.number);
    if (enqueued.job.trait != Trait::slow || found == jobs.end()) continue;
    const bool late = enqueued.hiccup > evidence.lease / 3;  // a renewal may have been, too
    const Operation* before = nullptr;
    for (const auto* op : found->second) {
      if (op->kind != kClaim) continue;
      const bool again = before && !deaths.any(before->client, before->returned, op->returned) &&
                         !pauses.any(before->client, before->returned, op->returned);
      unclear |= again && late;
      if (again && !late)
        return CheckResult::violated(
            fmt::format("{} takes longer than its lease of {} and was claimed again although its "
                        "worker was there: {}",
                        enqueued.job.id(), at(evidence.lease),
                        life_of(evidence, enqueued.job.number)),
            examined);
      before = op;
    }
    if (before) ++examined;
    undisturbed |= before && !late;
  }
  if (unclear && !undisturbed)
    return CheckResult::inconclusive(
        "a long job was claimed again, but everything was late by a third of its lease or more",
        examined);
  if (examined == 0) return CheckResult::inconclusive("no long job was claimed");
  return CheckResult::holds(examined);
}

/// What kills its workers is taken out of circulation after so many.
Answer poison_buried(const Evidence& evidence) {
  if (!evidence.keeps) return std::nullopt;
  std::uint64_t examined = 0;
  const Copies copies(evidence);
  for (const auto& enqueued : evidence.jobs) {
    if (enqueued.job.trait != Trait::poison || enqueued.outcome != Outcome::ok) continue;
    const auto claims = std::count_if(
        evidence.operations.begin(), evidence.operations.end(),
        [&](const Operation& op) { return op.kind == kClaim && op.key == enqueued.job.number; });
    const auto* status = status_of(evidence, enqueued.job.number);
    const bool buried = status && status->state == JobState::dead;
    ++examined;
    if (claims > copies.of(enqueued.job.number) * (kMaxStalls + 1) ||
        (buried && status->stalls != kMaxStalls + 1) || (!buried && evidence.drained))
      return CheckResult::violated(
          fmt::format("{} kills whoever works on it and is {} after {} claims{}: {}",
                      enqueued.job.id(),
                      status ? name(status->state) : "among nothing that is left", claims,
                      status ? fmt::format(" and {} stalls", status->stalls) : "",
                      life_of(evidence, enqueued.job.number)),
          examined);
    if (!buried) return CheckResult::inconclusive("a poison job was still waiting at the end");
  }
  if (examined == 0) return CheckResult::inconclusive("no poison job was accepted");
  return CheckResult::holds(examined);
}

Answer delayed_never_early(const Evidence& evidence) {
  const auto jobs = by_job(evidence);
  std::uint64_t examined = 0;
  for (const auto& enqueued : evidence.jobs) {
    const auto found = jobs.find(enqueued.job.number);
    if (enqueued.job.delay == Nanos{} || found == jobs.end()) continue;
    ++examined;
    const auto& first = *found->second.front();
    if (first.returned - enqueued.invoked >= enqueued.job.delay) continue;
    return CheckResult::violated(
        fmt::format("{} was enqueued at {} with a delay of {} and claimed at {}", enqueued.job.id(),
                    at(enqueued.invoked), at(enqueued.job.delay), at(first.returned)),
        examined);
  }
  if (examined == 0) return CheckResult::inconclusive("no delayed job was claimed");
  return CheckResult::holds(examined);
}

/// Of a job in hand, at least: it is renewed each time that a part of it is over. Where nothing has to run out, nothing.
Nanos left_of_lease(const Evidence& evidence) {
  if (evidence.noticed == Nanos{}) return {};
  return std::max(Nanos{}, evidence.lease - Heartbeat::every(evidence.lease) - evidence.hiccup);
}

}  // namespace

std::vector<const Enqueuing*> lost(const Evidence& evidence) {
  std::vector<const Enqueuing*> gone;
  for (const auto& enqueued : evidence.jobs) {
    const auto& job = enqueued.job;
    if (enqueued.outcome != Outcome::ok || job.trait == Trait::poison) continue;
    if (evidence.effects.contains(job.number) || is_dead(evidence, job.number)) continue;
    if (job.trait == Trait::hopeless && !evidence.keeps) continue;  // given up, by the worker
    const auto* status = status_of(evidence, job.number);
    const bool still_there = status && status->state != JobState::completed;
    if (!still_there && (evidence.drained || status)) gone.push_back(&enqueued);
  }
  return gone;
}

std::vector<std::int64_t> buried_unspent(const Evidence& evidence) {
  std::vector<std::int64_t> buried;
  for (const auto& enqueued : evidence.jobs) {
    const auto* status = status_of(evidence, enqueued.job.number);
    if (status && status->state == JobState::dead && enqueued.job.trait != Trait::poison &&
        status->attempts < status->max_attempts)
      buried.push_back(enqueued.job.number);
  }
  return buried;
}

std::vector<std::int64_t> doubled(const Evidence& evidence) {
  std::vector<std::int64_t> twice;
  for (const auto& [job, count] : evidence.effects) {
    if (count > 1) twice.push_back(job);
  }
  return twice;
}

std::vector<Redelivery> redeliveries(const Evidence& evidence) {
  std::vector<Redelivery> all;
  const Nanos left = left_of_lease(evidence);
  for (const auto& [job, operations] : by_job(evidence)) {
    const Operation* held = nullptr;  // a claim that has not been ended
    for (const auto* op : operations) {
      if (op->kind == kClaim && held && op->value > held->value) {
        for (const auto& death : evidence.deaths) {
          const bool while_held = death.begin >= held->returned && death.begin <= op->returned;
          if (death.worker != held->client || !while_held) continue;
          const Nanos waiting = death.begin + left;  // at the earliest
          const bool again = std::any_of(
              evidence.deaths.begin(), evidence.deaths.end(), [&](const Absence& other) {
                return other.begin > waiting && other.begin < op->returned;
              });
          all.push_back({job, held->client, death.begin, op->returned, again});
          break;
        }
      }
      if (op->kind == kClaim) held = op;
      if (op->kind == kComplete || op->kind == kFail) held = nullptr;
    }
  }
  return all;
}

/// Lease, renewed just before the death + time to the next sweep + time until a worker takes it.
Nanos redelivery_bound(const Evidence& evidence, Trait trait) {
  return evidence.noticed + evidence.idle + taken_by_others(evidence, trait);
}

Nanos median_redelivery_bound(const Evidence& evidence) {
  return evidence.noticed + evidence.idle + evidence.hiccup;
}

std::size_t taken_over(const Evidence& evidence) {
  std::size_t taken = 0;
  const auto jobs = by_job(evidence);
  for (const auto& pause : evidence.pauses) {
    for (const auto& [job, operations] : jobs) {
      const Operation* held = nullptr;  // by the one that sleeps
      for (const auto* op : operations) {
        if (op->kind == kClaim && held && op->client != pause.worker &&
            op->returned >= pause.begin && op->returned <= pause.end)
          ++taken;
        const bool claims = op->kind == kClaim && op->client == pause.worker;
        if (op->kind == kClaim || op->kind == kComplete || op->kind == kFail)
          held = claims && op->returned <= pause.begin ? op : nullptr;
      }
    }
  }
  return taken;
}

std::optional<double> retry_peak(const Evidence& evidence) {
  return peak_of(retries_of_herd(evidence).came_after, evidence);
}

std::optional<Nanos> herd_back_within(const Evidence& evidence) {
  std::map<std::int64_t, int> claims;
  for (const auto& enqueued : evidence.jobs) {
    if (enqueued.job.trait == Trait::herd) claims[enqueued.job.number] = 0;
  }
  std::vector<Nanos> back;
  for (const auto& op : evidence.operations) {
    const auto job = claims.find(op.key);
    if (op.kind == kClaim && job != claims.end() && ++job->second == 2) back.push_back(op.returned);
  }
  if (back.size() < kEnoughRetries) return std::nullopt;
  return back[back.size() * 9 / 10] - back[back.size() / 10];
}

const std::vector<Check<Evidence>>& checks() {
  static const std::vector<Check<Evidence>> all{
      {"no-job-lost", "every accepted job is done or among the dead, and nothing else is done",
       no_job_lost},
      {"one-effect-per-job", "no job has its effect twice", one_effect_per_job},
      {"attempts-within-limit",
       "no job has more attempts than its limit, and one is dead only at the limit, with the "
       "reason",
       attempts_within_limit},
      {"retry-within-backoff",
       "after a failure the next attempt comes when its delay is over: not before, and not long "
       "after",
       retry_within_backoff},
      {"retries-spread", "jobs that failed together do not come back together", retries_spread},
      {"redelivered-in-time",
       "a job whose worker died is claimed again within lease + sweep + what the workers take",
       redelivered_in_time},
      {"late-completion-rejected", "only the latest claim of a job can complete it, and only once",
       late_completion_rejected},
      {"heartbeat-keeps-lease", "a job longer than its lease runs once while its worker lives",
       heartbeat_keeps_lease},
      {"poison-buried", "a job that kills its workers ends among the dead", poison_buried},
      {"delayed-never-early", "a delayed job is never claimed before its time",
       delayed_never_early},
  };
  return all;
}

}  // namespace queue_retries
