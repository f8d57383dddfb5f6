#pragma once
// What the clients saw. Recorded in the client, never in the system under test; judged after the
// load has stopped.

#include <cstdint>
#include <functional>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "harness/histogram.h"

namespace lab::harness {

/// How an operation ended for its client. `info` may have happened, at any later time: counting it
/// as a failure hides bugs, counting it as a success invents them.
enum class Outcome : std::uint8_t { ok, fail, info };

inline Outcome outcome_of(const Error& error) {
  return error.happened == Happened::no ? Outcome::fail : Outcome::info;
}

/// One operation of one client; times are counted from the history's zero. What kind, key, value
/// and aux mean is the scenario's to say.
struct Operation {
  Nanos planned{};   // when it should have started (open loop); equal to invoked in a closed loop
  Nanos invoked{};   // when the call was made
  Nanos returned{};  // when the answer came
  std::int64_t key = 0;
  std::int64_t value = 0;
  std::int64_t aux = 0;
  std::uint32_t client = 0;
  std::uint16_t kind = 0;
  Outcome outcome = Outcome::ok;
  /// Of duration(): ready to run and without a core. Zero unless the scenario counts it.
  Nanos no_core{};

  Nanos latency() const { return returned - planned; }   // what a user waits
  Nanos duration() const { return returned - invoked; }  // what the call took
};

/// A span of time, counted from the history's zero.
struct Window {
  Nanos begin{}, end{};
  bool contains(Nanos t) const { return t >= begin && t < end; }
  bool overlaps(const Operation& op) const { return op.invoked < end && op.returned > begin; }
  Nanos length() const { return end - begin; }
};

/// All operations of a run. Each client appends to a log of its own, so recording takes no lock.
class History {
 public:
  explicit History(Instant zero, std::size_t clients = 1) : zero_(zero), logs_(clients) {}

  Instant zero() const { return zero_; }
  std::vector<Operation>& log(std::size_t client) { return logs_[client]; }

  /// Appends another history's operations, moved to this one's zero; their clients are numbered on.
  void append(const History& other);

  std::size_t size() const;
  /// Every operation, ordered by invocation.
  std::vector<Operation> sorted() const;
  void for_each(const std::function<void(const Operation&)>& visit) const;

  using Filter = std::function<bool(const Operation&)>;
  Histogram latencies(const Filter& filter) const;  // from the planned start
  std::size_t count(const Filter& filter) const;

 private:
  Instant zero_;
  std::vector<std::vector<Operation>> logs_;
};

}  // namespace lab::harness
