#pragma once
// A result made by hand, as a run of seven variants under a killed Redis would give it.

#include "harness/results.h"

namespace lab::harness {

/// All as promised.
RunResult sample_result();

/// The same, with a must_hold variant accused.
RunResult broken_sample();

/// The same, with a must_break variant that did not break and a guard that failed.
RunResult inconclusive_sample();

}  // namespace lab::harness
