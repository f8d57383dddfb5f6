#include "backends/fault_probe.h"

namespace lab::backends {

FaultProbe::FaultProbe(std::string what, Ask ask) : what_(std::move(what)), ask_(std::move(ask)) {
  forget();
}

void FaultProbe::ask() {
  const auto served = ask_();
  const std::lock_guard lock(mutex_);
  seen_ = {!served, what_ + ": " + (served ? std::string("answered") : describe(served.error()))};
}

FaultEffect FaultProbe::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void FaultProbe::forget() {
  const std::lock_guard lock(mutex_);
  seen_ = {false, "the fault did not begin"};
}

faults::Fault probed(std::string fault, std::string target, const harness::Timing& timing,
                     std::function<Result<void>()> breaks, std::function<Result<void>()> mends,
                     FaultProbe& probe) {
  probe.forget();
  const auto window = timing.fault_window();
  const auto breaks_and_asks = [breaks = std::move(breaks), &probe] {
    auto broken = breaks();
    if (broken) probe.ask();
    return broken;
  };
  return {std::move(fault), std::move(target), window.begin,
          window.length(),  breaks_and_asks,   std::move(mends)};
}

}  // namespace lab::backends
