#pragma once
// Money as a whole number of cents. Floating point has no place here.

#include <compare>
#include <cstdint>
#include <stdexcept>

namespace lab {

struct Cents {
  std::int64_t value = 0;

  friend auto operator<=>(const Cents&, const Cents&) = default;

  /// Throw std::overflow_error rather than wrap: a wrapped sum of money is a bug that nobody sees.
  friend Cents operator+(Cents a, Cents b) {
    Cents sum;
    if (__builtin_add_overflow(a.value, b.value, &sum.value))
      throw std::overflow_error("Cents: sum overflows");
    return sum;
  }
  friend Cents operator-(Cents a, Cents b) {
    Cents difference;
    if (__builtin_sub_overflow(a.value, b.value, &difference.value))
      throw std::overflow_error("Cents: difference overflows");
    return difference;
  }
  friend Cents operator*(Cents price, std::int64_t quantity) {
    Cents product;
    if (__builtin_mul_overflow(price.value, quantity, &product.value))
      throw std::overflow_error("Cents: product overflows");
    return product;
  }
};

}  // namespace lab
