#pragma once
// Seeded randomness that is the same on every machine and with every standard library (the
// distributions of <random> are not). Generator: xoshiro256**, seeded through SplitMix64 (Blackman
// & Vigna 2018).

#include <cstdint>

namespace lab {

/// Not thread-safe: one per thread, derived with stream().
class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed);

  std::uint64_t operator()();
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }

  /// Uniform in [0, bound); bound > 0. Multiply-shift with rejection (Lemire 2019), so without
  /// bias.
  std::uint64_t below(std::uint64_t bound);

  /// Uniform in [0, 1), 53 bits.
  double unit();

  bool chance(double probability) { return unit() < probability; }

  /// An independent generator for a numbered purpose (client 3, the fault plan, …).
  /// The same seed and number always give the same stream.
  Random stream(std::uint64_t number) const;

 private:
  std::uint64_t seed_;
  std::uint64_t state_[4];
};

/// Mixes 64 bits (the finaliser of SplitMix64): a checksum against accidents, not against an
/// attacker.
std::uint64_t mix64(std::uint64_t value);

}  // namespace lab
