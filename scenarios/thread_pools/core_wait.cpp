#include "core_wait.h"

#include <sys/resource.h>

#include <algorithm>

#include "harness/load.h"
#include "hashing.h"

namespace thread_pools {

CoreWait::Counts CoreWait::of_this_thread() {
  rusage usage{};
  (void)getrusage(RUSAGE_THREAD, &usage);
  return {.computed = computed_by_this_thread(),
          .queued = lab::harness::waited_for_core(),
          .waits = usage.ru_nvcsw};
}

void CoreWait::ran(Nanos now, Counts counts) {
  const Nanos passed = std::max(now - known_.back().first, Nanos{0});
  const Nanos idle = std::clamp(passed - (counts.computed - last_.computed), Nanos{0}, passed);
  if (counts.waits == last_.waits) return note(now, idle, Nanos{0}, counts);
  const Nanos queued = std::clamp(counts.queued - last_.queued, Nanos{0}, idle);
  note(now, queued, idle - queued, counts);
}

void CoreWait::slept(Nanos until, Nanos now, Counts counts) {
  const auto [asleep_at, lost] = known_.back();
  if (until > asleep_at) known_.emplace_back(std::min(until, now), lost);  // so far it was to sleep
  const Nanos too_long = std::max(now - known_.back().first, Nanos{0});
  const Nanos idle = too_long - (counts.computed - last_.computed);
  note(now, std::clamp(idle, Nanos{0}, too_long), Nanos{0}, counts);
}

void CoreWait::note(Nanos now, Nanos no_core, Nanos waited, Counts counts) {
  const Lost before = known_.back().second;
  known_.emplace_back(now, Lost{before.no_core + no_core, before.waited + waited});
  last_ = counts;
}

CoreWait::Lost CoreWait::since(Nanos from) const {
  const Lost all = known_.back().second;
  const auto after = std::upper_bound(known_.begin(), known_.end(), from,
                                      [](Nanos at, const auto& each) { return at < each.first; });
  if (after == known_.begin()) return all;
  if (after == known_.end()) return {};
  // Where in this stretch it lost what it lost is not known: at most all of what is left of it.
  const auto lost = [&](Nanos Lost::*what) {
    const Nanos until = after->second.*what, within = until - std::prev(after)->second.*what;
    return all.*what - until + std::min(within, after->first - from);
  };
  return {lost(&Lost::no_core), lost(&Lost::waited)};
}

}  // namespace thread_pools
