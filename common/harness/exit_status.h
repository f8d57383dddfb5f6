#pragma once
// The exit status of every executable of the lab.

namespace lab::harness {

enum ExitStatus : int {
  kAsPromised = 0,
  kPromiseBroken = 1,
  kUsage = 2,
  kEnvironmentFailed = 3,
  kInconclusive = 4,
  kSkipped = 77,
  kInterrupted = 130,
};

}  // namespace lab::harness
