#pragma once
// What a scenario declares, and what it does when it is asked to. The harness runs it and knows no
// product.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/events.h"
#include "harness/flags.h"
#include "harness/history.h"
#include "harness/machine.h"
#include "harness/results.h"

namespace lab::harness {

struct Variant {
  std::string name;  // "single_flight"
  Promise promise;
  std::string idea;     // what it adds over the one before, in one line
  std::string source;   // "scenarios/cache_aside/variants/single_flight.h"
  std::string look_at;  // text of the line that decides; `lab` shows it as file:line
};

struct FaultChoice {
  std::string name;  // "redis-kill"
  std::string what;  // "kill -9 half-way, back later, empty"
};

/// How long things last. Derived from the flags once, the same for all variants.
struct Timing {
  Nanos warm_up{}, steady{}, fault{}, recovery{};  // of the fault run
  Nanos round{};                                   // of one timed round
  int rounds = 9;
  Nanos load() const { return warm_up + steady + fault + recovery; }
  Window fault_window() const { return {warm_up + steady, warm_up + steady + fault}; }
};

/// One run's settings, after the flags and what is installed have been weighed.
struct RunPlan {
  Flags flags;
  Backend backend = Backend::real;
  std::string fault;
  Timing timing;
  Machine machine;  // as it was before this process took its place
  Placement placement;
};

/// A variant's fault run: what the checks said and what was measured on the way.
struct TrialReport {
  std::vector<NamedResult> checks;
  std::vector<Guard> guards;
  std::vector<Metric> metrics;
  std::map<std::string, Histogram> histograms;
  std::vector<TimePoint> timeseries;
  std::vector<FaultTime> faults;
};

/// One timed round of one variant: each metric with one sample. A round whose answers were wrong
/// says why and counts for nothing.
struct RoundReport {
  std::vector<Metric> metrics;
  std::map<std::string, Histogram> histograms;
  std::string spoiled;
};

/// The world of one run: servers or their twins, seeded data. Made by Scenario::open, destroyed at
/// the end.
class Session {
 public:
  virtual ~Session() = default;

  virtual std::vector<ServerUsed> servers() const = 0;
  virtual std::string load_in_words() const = 0;
  /// Why this variant cannot run in this world ("needs a real Redis"); empty when it can. It is left out, with a note.
  virtual std::string cannot_run(const Variant& /*variant*/) const { return {}; }
  /// What the variant promises in this world: the same, unless that depends on the servers found.
  virtual Promise promise_of(const Variant& variant) const { return variant.promise; }
  /// Load with the run's fault, from a clean state; then the checks.
  virtual TrialReport trial(const Variant& variant, EventStream& events) = 0;
  /// Speed without faults. `index` counts rounds; variants are interleaved inside one.
  virtual RoundReport round(const Variant& variant, int index) = 0;
  /// What the machine gives at best, one sample per call; called once per round. Empty when there
  /// is none.
  virtual std::vector<Limit> limits(int /*index*/) { return {}; }
};

/// What `lab serve-variant` asks of a scenario whose variants are servers.
struct ServeRequest {
  const Variant& variant;
  int port = 0;  // of 127.0.0.1; 0: the kernel chooses
  const Flags& flags;
};

struct Scenario {
  std::string name;                                         // "cache-aside"
  std::string question;                                     // as an interviewer asks it
  std::vector<std::string> needs;                           // "redis", "sql"
  std::vector<Variant> variants;                            // naive first
  std::vector<FaultChoice> faults;                          // the first is the default
  std::vector<std::pair<std::string, std::string>> checks;  // name, claim
  std::string rank_by;  // the metric that ranks: "reads_per_second"; empty: nothing is timed
  std::string naive;    // the variant whose loss is explained, against the best ranked one
  std::string lesson;   // why it lost, one sentence; file:line are added
  std::string next;     // what to try next
  std::function<Timing(const Flags&)> timing;
  /// May change the plan's fault, with a note.
  std::function<std::unique_ptr<Session>(RunPlan&, EventStream&)> open;
  /// Serves one variant alone, for other tools: prints {"listen":"127.0.0.1:PORT"} as the first line on stdout once it
  /// accepts, returns when a stop is requested (core/stop.h) and leaves nothing behind. Returns the exit status: 0 after a
  /// stop, kEnvironmentFailed when it cannot serve. Empty where the variants are no servers.
  std::function<int(const ServeRequest&)> serve;
};

/// main() of every scenario executable.
int run_main(const Scenario& scenario, int argc, char** argv);

}  // namespace lab::harness
