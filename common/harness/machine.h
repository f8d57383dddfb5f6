#pragma once
// Where a result comes from: recorded with it, because a number without its machine is hearsay.

#include <string>
#include <vector>

namespace lab::harness {

/// What could not be found out is empty or 0.
struct Machine {
  std::string cpu;  // "Intel(R) Xeon(R) … @ 2.30GHz"
  int cpus = 0;     // usable by this process
  long memory_mb = 0;
  std::string kernel;      // "Linux 6.1.0"
  std::string system;      // "Debian GNU/Linux 12 (bookworm)"
  std::string compiler;    // "g++ 12.2.0"
  std::string build_type;  // "release", "debug"
  std::string sanitizers;  // "address,undefined", empty in a build that may measure
  std::string hypervisor;  // "KVM", empty on bare metal or when unknown
  double load_average = 0;
};
Machine this_machine();

/// The repository's commit, seven digits, as the checkout has it now, "+" when its tree has
/// changes; without a checkout the one it was built from, else "unknown". Asked once per process.
std::string commit();

/// Only a release build without sanitizers or coverage may write results/reference.
bool may_measure();

/// Where processes run, the same for all variants. Core placement alone moves ping-pong numbers
/// several times over on virtual cores, so it is chosen, not left to chance, and it is recorded.
struct Placement {
  std::vector<int> load;     // this process: clients and the variant
  std::vector<int> servers;  // the servers it started
  std::string text;          // "load on CPU 0, servers on CPU 1"
};

/// Servers get the last usable CPU, the upper half when there are four or more; with a single one
/// all share it.
Placement choose_placement();
Placement choose_placement(const std::vector<int>& usable_cpus);

/// Moves every thread of this process; threads and children made later inherit it.
void apply_to_this_process(const Placement& placement);

}  // namespace lab::harness
