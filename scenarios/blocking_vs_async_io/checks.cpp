#include "checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace blocking_vs_async_io {
namespace {

using lab::milliseconds;
using lab::harness::CheckResult;
using lab::harness::Ratio;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kEnoughAnswers = 100;  // for a p99 to mean anything
constexpr Nanos kSlack =
    std::chrono::milliseconds(500);  // for a close to be seen on a busy machine

std::optional<CheckResult> bytes_echoed(const Evidence& evidence) {
  for (const auto& echo : evidence.echoes) {
    if (!echo.problem.empty())
      return CheckResult::violated(
          fmt::format("{} bytes, {}: {}", echo.bytes, echo.how, echo.problem),
          evidence.echoes.size());
  }
  if (evidence.echoes.empty()) return CheckResult::inconclusive("nothing was sent");
  if (evidence.interruptions == 0) return CheckResult::inconclusive("no signal met the server");
  return CheckResult::holds(evidence.echoes.size());
}

std::optional<CheckResult> slow_call_is_its_own(const Evidence& evidence) {
  const auto& seen = evidence.slow_calls;
  const std::uint64_t others = seen.answered + seen.failed + seen.unanswered;
  const bool too_few = seen.calls == 0 || others < kFewClients;
  const bool all_well = seen.p99 < seen.call && seen.failed == 0;
  if (too_few || (all_well && seen.answered < kEnoughAnswers))
    return CheckResult::inconclusive(
        fmt::format("{} slow calls beside {} others", seen.calls, others));
  if (all_well) return CheckResult::holds(seen.answered);
  const std::string witness = fmt::format(
      "beside calls of {:.0f} ms the others waited: p50 {:.1f} ms, p99 {:.1f} ms, {} failed",
      milliseconds(seen.call), milliseconds(seen.p50), milliseconds(seen.p99), seen.failed);
  // What the scheduler alone can have done to one request in a hundred.
  if (seen.failed == 0 && seen.p99 < seen.call + seen.hiccup && seen.p50 < seen.call / 2)
    return CheckResult::inconclusive(
        witness +
        fmt::format("; the machine itself paused for {:.1f} ms", milliseconds(seen.hiccup)));
  return CheckResult::violated(witness, others);
}

std::optional<CheckResult> served_beside_slow_peers(const Evidence& evidence) {
  const auto& seen = evidence.slow_peers;
  if (std::all_of(seen.alone.begin(), seen.alone.end(), [](double rate) { return rate == 0; }))
    return CheckResult::inconclusive("nobody was served without slow peers either");
  if (seen.answered_at_pool > 0) return CheckResult::holds(seen.answered_at_pool);
  if (seen.peers_closed > 0) return CheckResult::inconclusive("slow peers were closed meanwhile");
  return CheckResult::violated(
      fmt::format("with {} slow peers, as many as a pool has threads, nobody else was answered",
                  seen.pool),
      1);
}

std::optional<CheckResult> slow_peers_isolated(const Evidence& evidence) {
  const auto& seen = evidence.slow_peers;
  const Ratio ratio = kept_throughput(evidence);
  if (ratio.n < Ratio::kFewestRounds)
    return CheckResult::inconclusive(fmt::format("{} windows", ratio.n));
  const std::string text = fmt::format("{:.0f} % [{:.0f}, {:.0f}]", 100 * ratio.value,
                                       100 * ratio.low, 100 * ratio.high);
  if (seen.peers_closed > 0) return CheckResult::inconclusive("slow peers were closed meanwhile");
  if (ratio.low >= kKept) return CheckResult::holds(ratio.n, text);
  const Ratio at_best = kept_at_best(evidence);
  if (at_best.high < kKept)
    return CheckResult::violated(
        fmt::format("with {} slow peers {} of the throughput is left, in {} pairs of windows",
                    seen.peers, text, ratio.n),
        ratio.n);
  if (ratio.high < kKept)
    return CheckResult::inconclusive(
        fmt::format("{} is left, but server and clients waited for a core; without that it may be "
                    "up to {:.0f} %",
                    text, 100 * at_best.high),
        ratio.n);
  return CheckResult::inconclusive("can't tell on this machine: " + text, ratio.n);
}

CheckResult left_waiting(const Exhaustion& seen) {
  const auto& before = seen.connected_before;
  const std::string witness = fmt::format(
      "without a descriptor left, a client that was connected before had {} answers, and waited "
      "{:.0f} ms in vain for the next",
      before.answered, milliseconds(before.unanswered));
  if (before.unanswered < kTurns * before.hiccup)
    return CheckResult::inconclusive(
        witness +
        fmt::format("; the machine itself paused for {:.1f} ms", milliseconds(before.hiccup)));
  return CheckResult::violated(witness, before.answered + 1);
}

std::optional<CheckResult> survives_exhaustion(const Evidence& evidence) {
  const auto& seen = evidence.exhaustion;
  if (!seen.alive)
    return CheckResult::violated("a process ended when it had no descriptor left", 1);
  if (seen.open_descriptors + 1 < seen.limit)
    return CheckResult::inconclusive(
        fmt::format("{} connections, and only {} of {} descriptors used", seen.connections,
                    seen.open_descriptors, seen.limit));
  const auto& before = seen.connected_before;
  if (!before.problem.empty())
    return CheckResult::violated(
        fmt::format("without a descriptor left, a client that was connected before had {} answers, "
                    "and then: {}",
                    before.answered, before.problem),
        before.answered + 1);
  if (before.unanswered > Nanos{}) return left_waiting(seen);
  if (before.answered == 0)
    return CheckResult::inconclusive("nobody who was connected before had asked");
  if (seen.served) return CheckResult::holds(before.answered + 1);
  return CheckResult::violated(
      fmt::format("{:.0f} ms after {} connections had gone, a newcomer had no answer",
                  milliseconds(seen.waited), seen.connections),
      1);
}

std::optional<CheckResult> stalled_reader_bounded(const Evidence& evidence) {
  const auto& seen = evidence.stalled;
  const std::uint64_t held =
      seen.peak > seen.resident_before ? seen.peak - seen.resident_before : 0;
  const std::uint64_t bound = stalled_bound(seen);
  if (seen.memory_counts && held > bound)
    return CheckResult::violated(
        fmt::format("for {} peers that do not read it held {} KiB more; {} KiB are enough",
                    seen.peers, held / kKiB, bound / kKiB),
        seen.peers);
  if (seen.closed < seen.peers || seen.closed_after > stalled_time_bound(seen))
    return CheckResult::violated(
        fmt::format("{} of {} peers that do not read were closed, up to {:.0f} ms after the last "
                    "byte that was taken from them; the "
                    "limit is {:.0f} ms",
                    seen.closed, seen.peers, milliseconds(seen.closed_after),
                    milliseconds(seen.limit)),
        seen.peers);
  if (seen.bytes_sent < seen.peers * seen.body_bytes)
    return CheckResult::inconclusive(fmt::format("they could send {} bytes only", seen.bytes_sent));
  return CheckResult::holds(seen.peers);
}

std::optional<CheckResult> descriptors_return(const Evidence& evidence) {
  const auto& seen = evidence.descriptors;
  if (seen.at_most < seen.before + kFewClients)
    return CheckResult::inconclusive(
        fmt::format("{} descriptors before, at most {}", seen.before, seen.at_most));
  if (seen.after <= seen.before) return CheckResult::holds(seen.connections);
  return CheckResult::violated(fmt::format("{} descriptors before {} connections, {} after",
                                           seen.before, seen.connections, seen.after),
                               seen.connections);
}

}  // namespace

Ratio kept_throughput(const Evidence& evidence) {
  return lab::harness::paired_ratio(evidence.slow_peers.beset, evidence.slow_peers.alone,
                                    evidence.seed);
}

Ratio kept_at_best(const Evidence& evidence) {
  const auto& seen = evidence.slow_peers;
  std::vector<double> beset = seen.beset;
  for (std::size_t i = 0; i < std::min(beset.size(), seen.without_core.size()); ++i) {
    const double with_core = 1 - seen.without_core[i];
    const double at_best = with_core > 0 ? beset[i] / with_core : seen.alone[i];
    if (beset[i] > 0) beset[i] = at_best;
  }
  return lab::harness::paired_ratio(beset, seen.alone, evidence.seed);
}

std::uint64_t stalled_bound(const StalledReaders& stalled) {
  return stalled.peers * (6 * stalled.body_bytes + 256 * kKiB) + 1024 * kKiB;
}

Nanos stalled_time_bound(const StalledReaders& stalled) {
  return 2 * stalled.limit + kLookEvery + kSlack + stalled.hiccup;
}

std::vector<lab::harness::Check<Evidence>> checks() {
  return {
      {"bytes-echoed",
       "bytes back = bytes sent: a byte at a time, half-closed, with interrupted calls",
       bytes_echoed},
      {"slow-call-is-its-own", "beside somebody's slow call the others' p99 stays below its length",
       slow_call_is_its_own},
      {"served-beside-slow-peers", "with P slow peers others are served", served_beside_slow_peers},
      {"slow-peers-isolated",
       "with 10 P slow peers at least 90 % of the throughput is left for the others",
       slow_peers_isolated},
      {"survives-exhaustion",
       "without a descriptor left it lives, and accepts again when there are some",
       survives_exhaustion},
      {"stalled-reader-bounded", "a peer that never reads costs bounded memory, and is closed",
       stalled_reader_bounded},
      {"descriptors-return", "when all have gone, as many descriptors are open as before",
       descriptors_return},
  };
}

}  // namespace blocking_vs_async_io
