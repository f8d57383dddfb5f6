#pragma once
// Whether a client feels a process or network fault. Not for scenarios: they ask a backend for its effect().

#include <functional>
#include <mutex>
#include <string>

#include "backends/backends.h"

namespace lab::backends {

/// Thread-safe: plans carry out their faults on a thread of their own.
class FaultProbe {
 public:
  using Ask = std::function<Result<void>()>;

  /// `what` is asked, for messages ("PING"). `ask` answers whether a client was served, and gives up well above a
  /// healthy answer, well below the shortest fault.
  FaultProbe(std::string what, Ask ask);

  void ask();
  FaultEffect seen() const;
  void forget();

 private:
  const std::string what_;
  const Ask ask_;
  mutable std::mutex mutex_;
  FaultEffect seen_;
};

/// A fault over the timing's fault window: as soon as it has begun, the probe asks once. What the probe saw of an
/// earlier fault is forgotten now. The probe outlives the fault.
faults::Fault probed(std::string fault, std::string target, const harness::Timing& timing,
                     std::function<Result<void>()> breaks, std::function<Result<void>()> mends,
                     FaultProbe& probe);

}  // namespace lab::backends
