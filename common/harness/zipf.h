#pragma once
// Which key is asked for: few keys get most of the traffic (Zipf's law).

#include <cstdint>

#include "core/random.h"

namespace lab::harness {

/// Draws ranks 0 … n-1 with probability proportional to 1/(rank+1)^exponent, by rejection-inversion
/// (Hörmann & Derflinger 1996): no table, constant time. Immutable after construction, so threads
/// may share it.
class Zipf {
 public:
  /// n >= 1, exponent > 0 (1 included).
  Zipf(std::uint64_t n, double exponent);
  std::uint64_t operator()(Random& random) const;

 private:
  double h(double x) const;  // the integral of x^-exponent
  double h_inverse(double x) const;

  double n_, exponent_;
  double h_x1_, h_n_, s_;
};

}  // namespace lab::harness
