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
  const Nanos passed = now - known_.back().first;
  const bool waited = counts.waits != last_.waits;
  note(now, waited ? counts.queued - last_.queued : passed - (counts.computed - last_.computed),
       counts);
}

void CoreWait::slept(Nanos until, Nanos now, Counts counts) {
  const auto [asleep_at, lost] = known_.back();
  if (until > asleep_at) known_.emplace_back(std::min(until, now), lost);  // so far it was to sleep
  note(now, now - until - (counts.computed - last_.computed), counts);
}

void CoreWait::note(Nanos now, Nanos lost, Counts counts) {
  const auto [at, before] = known_.back();
  known_.emplace_back(now, before + std::clamp(lost, Nanos{0}, std::max(now - at, Nanos{0})));
  last_ = counts;
}

Nanos CoreWait::since(Nanos from) const {
  const auto after = std::upper_bound(known_.begin(), known_.end(), from,
                                      [](Nanos at, const auto& each) { return at < each.first; });
  if (after == known_.begin()) return known_.back().second;
  if (after == known_.end()) return Nanos{0};
  // Where in this stretch it had no core is not known: at most all of what is left of it.
  const Nanos within = after->second - std::prev(after)->second;
  return known_.back().second - after->second + std::min(within, after->first - from);
}

}  // namespace thread_pools
