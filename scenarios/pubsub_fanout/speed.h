#pragma once
// Timed rounds: how fast a variant hands out what is said, and what the machine gives at best.

#include <map>
#include <memory>
#include <string>

#include "fan_out_load.h"
#include "fault_run.h"

namespace pubsub_fanout {

FanOut choose_fan_out(const lab::harness::RunPlan& plan);

/// Nodes and clients of each variant stay between its rounds.
class Speed {
 public:
  Speed();
  ~Speed();
  lab::harness::RoundReport round(const Setting& setting);
  /// Bare writes of prepared frames to as many sockets: all of the window in one write, and, for comparison, one by one.
  std::vector<lab::harness::Limit> limits(const Setting& setting);

 private:
  struct Rig;
  Rig& rig(const Setting& setting, std::uint32_t copies);
  FanOutResult measure(const Setting& setting, std::uint32_t copies);
  std::map<std::string, std::unique_ptr<Rig>> rigs_;
};

/// What the limits are measured on: each thing said goes out to each listener by itself, as prepared bytes, so many times
/// in one write. Not variants: they know no rooms.
std::vector<Recipe> bare_recipes();

/// `--target ws://…`: the same load on another server. Returns the exit status.
int measure_target(int argc, char** argv);
bool wants_target(int argc, const char* const* argv);

}  // namespace pubsub_fanout
