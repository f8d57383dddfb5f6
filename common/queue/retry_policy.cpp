#include "queue/retry_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/random.h"
#include "core/text.h"

namespace lab::queue {
namespace {

constexpr std::array kBackoffs{Backoff::none, Backoff::fixed, Backoff::exponential,
                               Backoff::jitter};

/// base · 2^(attempt−1), at most cap, without overflow.
Nanos doubled(Nanos base, int attempt, Nanos cap) {
  Nanos delay = std::min(base, cap);
  for (int n = 1; n < attempt && delay < cap; ++n) delay = delay > cap / 2 ? cap : delay * 2;
  return delay;
}

std::uint64_t hash(std::string_view text) {
  std::uint64_t sum = text.size();
  for (const char c : text) sum = mix64(sum ^ static_cast<unsigned char>(c));
  return sum;
}

}  // namespace

std::string_view name(Backoff backoff) {
  switch (backoff) {
    case Backoff::none: return "none";
    case Backoff::fixed: return "fixed";
    case Backoff::exponential: return "exponential";
    case Backoff::jitter: return "jitter";
  }
  return "?";
}

Result<Backoff> parse_backoff(std::string_view word) {
  std::array<std::string, kBackoffs.size()> known;
  for (std::size_t i = 0; i < known.size(); ++i) {
    known[i] = name(kBackoffs[i]);
    if (known[i] == word) return kBackoffs[i];
  }
  const std::string near = nearest(word, known);
  return Error{ErrorCode::invalid, Happened::no,
               fmt::format("no retry policy '{}'; {}", word,
                           near.empty() ? "one of: none, fixed, exponential, jitter"
                                        : "did you mean '" + near + "'?")};
}

RetryPolicy::Bounds RetryPolicy::bounds(int attempt) const {
  switch (backoff) {
    case Backoff::none: return {};
    case Backoff::fixed: return {base, base};
    case Backoff::exponential: return {doubled(base, attempt, cap), doubled(base, attempt, cap)};
    case Backoff::jitter: return {Nanos{}, doubled(base, attempt, cap)};
  }
  return {};
}

Nanos RetryPolicy::delay(std::string_view job, int attempt) const {
  const auto [least, most] = bounds(attempt);
  if (least == most) return most;
  Random random = Random(seed).stream(hash(job) + static_cast<std::uint64_t>(attempt));
  return Nanos(static_cast<std::int64_t>(random.unit() * static_cast<double>(most.count())));
}

}  // namespace lab::queue
