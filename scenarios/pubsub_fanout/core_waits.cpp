#include "core_waits.h"

#include <optional>
#include <utility>

#include "harness/load.h"

namespace pubsub_fanout {

using namespace std::chrono_literals;

constexpr Nanos kBetweenLooks = 10ms;

void CoreWaits::look(Nanos at, const std::vector<int>& processes) {
  if (known_.empty() || at - known_.back().at >= kBetweenLooks) look_now(at, processes);
}

void CoreWaits::look_now(Nanos at, const std::vector<int>& processes) {
  Nanos in_all = known_.empty() ? Nanos{} : known_.back().in_all;
  const auto count = [&](int process, std::optional<Nanos> waited) {
    if (!waited) return;
    const auto [last, first] = last_.emplace(process, *waited);
    if (!first) in_all += *waited - std::exchange(last->second, *waited);
  };
  count(0, lab::harness::waited_for_core());
  for (const int process : processes) count(process, lab::harness::waited_for_core(process));
  known_.push_back({at, in_all});
}

}  // namespace pubsub_fanout
