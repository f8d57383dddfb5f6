#include "harness/zipf.h"

#include <algorithm>
#include <cmath>

namespace lab::harness {
namespace {

// (e^x - 1)/x and ln(1 + x)/x are smooth at 0, so one formula serves exponents below, at and
// above 1.
double expm1_over(double x) {
  return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2;
}
double log1p_over(double x) {
  return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2;
}

}  // namespace

Zipf::Zipf(std::uint64_t n, double exponent)
    : n_(static_cast<double>(n)),
      exponent_(exponent),
      h_x1_(h(1.5) - 1),
      h_n_(h(n_ + 0.5)),
      s_(2 - h_inverse(h(2.5) - std::pow(2, -exponent))) {}

double Zipf::h(double x) const {
  const double log_x = std::log(x);
  return expm1_over((1 - exponent_) * log_x) * log_x;
}

double Zipf::h_inverse(double x) const {
  // Rounding may push the argument of ln(1 + x) below its domain.
  const double t = std::max(-1.0, x * (1 - exponent_));
  return std::exp(log1p_over(t) * x);
}

std::uint64_t Zipf::operator()(Random& random) const {
  for (;;) {
    const double u = std::lerp(h_n_, h_x1_, random.unit());
    const double x = h_inverse(u);
    const double k = std::clamp(std::floor(x + 0.5), 1.0, n_);
    if (k - x <= s_ || u >= h(k + 0.5) - std::pow(k, -exponent_)) {
      return static_cast<std::uint64_t>(k) - 1;
    }
  }
}

}  // namespace lab::harness
