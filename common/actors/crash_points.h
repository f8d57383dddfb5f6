#pragma once
// Named places in a program at which a process is told to die, because a random moment rarely lands in the microseconds
// between two steps. What a variant uses (a connection, a queue) is wrapped by the scenario in a decorator that passes the
// points; the variant never knows of them.
//
// The counts are in a file that all processes of a run share, so that they outlive whoever died.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace lab::actors {

class CrashPoints {
 public:
  struct Count {
    std::string point;
    std::uint64_t passed = 0;  // by all processes together, those included that died there
    std::uint64_t hits = 0;    // processes that died there
  };

  /// Every process of the run names the same points in the same order; the first one makes the file. Throws Failure when
  /// the file cannot be had.
  CrashPoints(const std::filesystem::path& file, std::vector<std::string> points);
  ~CrashPoints();
  CrashPoints(const CrashPoints&) = delete;
  CrashPoints& operator=(const CrashPoints&) = delete;

  /// This process is to die at its n-th passing of the point (from 1), counted once `after` is over. Call it before the
  /// first pass(). Throws Failure when there is no such point.
  void die_at(std::string_view point, std::uint64_t passing = 1, Nanos after = {});

  /// SIGKILL, if this is the place. Thread-safe. A name that is no point of this run is passed over.
  void pass(std::string_view point);

  /// The two halves of pass(), for who has to do something before it dies: counts the passing and says whether this is the
  /// place; and, where it was, dies there.
  bool arrive(std::string_view point);
  [[noreturn]] void die(std::string_view point);

  std::vector<Count> counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::actors
