#pragma once
// The flags that every scenario executable takes.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"

namespace lab::harness {

struct Scenario;

enum class Backend { real, embedded };
std::string_view name(Backend backend);

struct Flags {
  std::vector<std::string> variants;         // empty: all
  std::string fault;                         // empty: the scenario's first
  bool fault_chosen = false;                 // named by the user, not by default
  std::optional<Backend> backend;            // none: real when it is installed
  std::string sql = "mariadb";               // or postgres
  std::string redis_url, sql_url, amqp_url;  // the user's own servers
  std::uint64_t seed = 7;
  std::optional<Nanos> duration;  // of each variant's fault run
  std::optional<int> rounds;      // timed rounds per variant
  std::optional<int> kills;  // processes killed in each variant's fault run, where a fault kills
  std::optional<int> jobs;   // in each variant's fault run, where the load is a number of jobs
  bool quick = false;
  bool json = false, plain = false, quiet = false, no_color = false;
  std::filesystem::path results = "results/local";
  bool record = false;  // also write results/reference (release builds only)
  /// Recorded under a name of its own, beside the scenario's: for a run of another size.
  std::string record_as;
  std::filesystem::path cpu_profile;
  bool describe = false;
  bool serve = false;  // be one variant's server instead of a run (lab serve-variant)
  int port = 0;        // of that server; 0: the kernel chooses
};

/// Parses the command line. On --help, --version or bad usage it prints (bad usage: with the
/// nearest name) and returns the exit status instead.
struct ParsedFlags {
  Flags flags;
  std::optional<int> exit_status;
};
ParsedFlags parse_flags(const Scenario& scenario, int argc, char** argv);

}  // namespace lab::harness
