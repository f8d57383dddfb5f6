#pragma once
// Where a result comes from: recorded with it, because a number without its machine is hearsay.

#include <string>
#include <vector>

namespace lab::harness {

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

/// The repository's commit at build time or, in a checkout, now; "+" when the tree has changes;
/// "unknown" elsewhere.
std::string commit();

/// Only a release build without sanitizers may write results/reference.
bool may_measure();

/// Where processes run, the same for all variants. Core placement alone moves ping-pong numbers
/// several times over on virtual cores, so it is chosen, not left to chance, and it is recorded.
struct Placement {
  std::vector<int> load;     // this process: clients and the variant
  std::vector<int> servers;  // the servers it started
  std::string text;          // "load on CPU 0, servers on CPU 1"
};
Placement choose_placement();
void apply_to_this_process(const Placement& placement);

}  // namespace lab::harness
