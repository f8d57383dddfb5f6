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

  bool drained = false;  // nothing was left to do in the end
  bool keeps = true;     // a job stays in the queue until it is done
  lab::queue::RetryPolicy retry;
  Nanos lease{}, sweep_every{};
  Nanos idle{};    // the longest that a worker sleeps although there is work
  Nanos hiccup{};  // by how much the machine was late at worst, or the broker with an answer
};

const std::vector<lab::harness::Check<Evidence>>& checks();

// For the run's figures.

/// Accepted jobs that were neither done nor put among the dead, without the poison.
std::vector<const Enqueuing*> lost(const Evidence& evidence);
/// Jobs with more than one effect.
std::vector<std::int64_t> doubled(const Evidence& evidence);

/// A claim that ended with its lease, and the claim after it.
struct Redelivery {
  std::int64_t job = 0;
  std::uint32_t worker = 0;  // who had it
  Nanos lost_at{};           // its worker died, or slept
  Nanos back_at{};           // somebody had claimed it again
};
/// Of those whose worker is known to have died.
std::vector<Redelivery> redeliveries(const Evidence& evidence);
/// By when a job must be in somebody's hands again after its worker died.
Nanos redelivery_bound(const Evidence& evidence);

/// The largest share of the herd's retries that were due within 40 % of the time that they could be spread over; nothing
/// when there were too few to tell.
std::optional<double> retry_peak(const Evidence& evidence);
/// In what time the middle 80 % of the herd were claimed for the second time.
std::optional<Nanos> herd_back_within(const Evidence& evidence);

}  // namespace queue_retries
