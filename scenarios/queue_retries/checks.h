#pragma once
// What a fault run leaves behind, and the invariants over it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/history.h"
#include "workload.h"

namespace queue_retries {

/// A job as its producer saw it.
struct Enqueuing {
  Job job;
  Nanos invoked{}, returned{};
  lab::harness::Outcome outcome = lab::harness::Outcome::ok;
  int tries = 1;  // how often the queue was asked
  Nanos
      hiccup{};  // of a slow one: by how much machine or broker were late at worst while it was there
};

/// A worker that was not there: killed at `begin`, or paused from `begin` to `end`.
struct Absence {
  std::uint32_t worker = 0;
  Nanos begin{}, end{};
};

/// Times are counted from the run's zero.
struct Evidence {
  std::vector<Enqueuing> jobs;
  std::vector<lab::harness::Operation> operations;  // the workers', by when they returned
  std::map<std::int64_t, int> effects;              // by job
  /// What the queue says in the end; empty for a list, which says nothing.
  std::map<std::int64_t, lab::queue::JobStatus> statuses;
  std::vector<Absence> deaths, pauses;

  bool drained = false;       // nothing was left to do in the end
  bool keeps = true;          // a job stays in the queue until it is done
  bool remembers_ids = true;  // else a job may be there more than once
  lab::queue::RetryPolicy retry;
  Nanos lease{};  // so long a worker may be silent and keeps its jobs
  /// Until a dead worker's jobs are taken from it, at most: lease + time between two sweeps.
  Nanos noticed{};
  Nanos rounding{};  // by how much the queue may lengthen a delay
  /// A worker at work on a job has others, which it has not claimed.
  bool handed_out_ahead = false;
  Nanos idle{};    // the longest that a worker sleeps although there is work
  Nanos hiccup{};  // by how much the machine was late at worst, or the broker with an answer
};

const std::vector<lab::harness::Check<Evidence>>& checks();

// For the run's figures.

/// Accepted jobs that were neither done nor put among the dead, without the poison.
std::vector<const Enqueuing*> lost(const Evidence& evidence);
/// Dead jobs without poison that had attempts left: their workers vanished too often, with what else was in their batch.
std::vector<std::int64_t> buried_unspent(const Evidence& evidence);
/// Jobs with more than one effect.
std::vector<std::int64_t> doubled(const Evidence& evidence);

/// A claim that ended with its lease, and the claim after it.
struct Redelivery {
  std::int64_t job = 0;
  std::uint32_t worker = 0;  // who had it
  Nanos lost_at{};           // its worker died, or slept
  Nanos back_at{};           // somebody had claimed it again
  /// Another worker died when it was waiting again, perhaps: with a claim of it that it had not written down yet.
  bool again = false;
};
/// Of those whose worker is known to have died.
std::vector<Redelivery> redeliveries(const Evidence& evidence);
/// By when a job must be in somebody's hands again after its worker died. Slow ones may have waited for each other.
Nanos redelivery_bound(const Evidence& evidence, Trait trait = Trait::ordinary);
/// And by when half of them must be: what workers and queue take for everything is not in it.
Nanos median_redelivery_bound(const Evidence& evidence);

/// How many jobs were claimed by somebody else while the worker that had them slept.
std::size_t taken_over(const Evidence& evidence);

/// The largest share of the herd's retries that were claimed within 40 % of the time that they could be spread over; nothing
/// when there were too few to tell.
std::optional<double> retry_peak(const Evidence& evidence);
/// In what time the middle 80 % of the herd were claimed for the second time.
std::optional<Nanos> herd_back_within(const Evidence& evidence);

}  // namespace queue_retries
