#pragma once
// What a run found, as plain data, and its files. Format: docs/formats/result.md, JSON Schema:
// docs/formats/lab.result-1.schema.json.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "harness/check.h"
#include "harness/histogram.h"
#include "harness/machine.h"
#include "harness/statistics.h"

namespace lab::harness {

enum class Better { higher, lower, neither };

/// One quantity of one variant. `unit` as in the name's last word: reads_per_second 1/s,
/// read_p99_us us.
struct Metric {
  std::string name;
  std::string unit;
  Better better = Better::neither;
  std::vector<double> samples;  // one per round, or a single one from the fault run
  bool timed = false;           // from the timed rounds; always so with several samples
  Summary summary() const { return summarize(samples); }
};

/// Of a single sample: what a fault run, or one round, found.
Metric single_sample(std::string name, std::string unit, Better better, double value);

/// One line of timeseries.csv.
struct TimePoint {
  double t_ms = 0;
  std::uint64_t operations = 0, failed = 0;
  double p50_us = 0, p99_us = 0;
  std::string fault;  // in force at that time, or empty
};

struct FaultTime {
  std::string name, target, variant;
  double began_ms = 0, ended_ms = 0;  // after the variant's fault run began
  std::string error;
};

struct VariantResult {
  std::string name;
  std::string promise;  // Promise::text under the run's fault
  std::string idea;
  std::string source;                           // "scenarios/cache_aside/variants/lease.h"
  int line = 0;                                 // the line that decides
  Verdict verdict = Verdict::inconclusive;      // what the checks add up to
  Verdict as_promised = Verdict::inconclusive;  // against the promise
  bool ranked = false;                          // a variant that broke any check has no rank
  std::vector<NamedResult> checks;
  std::vector<Guard> guards;
  std::vector<Metric> metrics;
  std::map<std::string, Histogram> histograms;  // by metric family: "read"
  std::vector<TimePoint> timeseries;
};

struct Comparison {
  std::string metric, a, b;
  Ratio ratio;
};

/// What the machine gives at best, measured in the same run, and how near the best variant came.
struct Limit {
  std::string name;    // "redis-benchmark GET, 16 connections"
  std::string metric;  // the variants' metric that it bounds: "reads_per_second"
  std::string unit;
  std::vector<double> samples;
  /// The ranked variant that is best by this metric; or the one that it bounds, when the scenario says so.
  std::string best;
  Ratio ratio;  // best / limit
  /// No bound: what another way of doing it gives on this machine, shown apart. A variant may well be faster.
  bool comparison = false;
};

struct ServerUsed {
  std::string kind, version, where;  // where: "private, Unix socket" or the user's address
  int pid = 0;
  std::string durability;
};

struct RunResult {
  std::string scenario, question;
  std::uint64_t seed = 0;
  std::string backend;
  std::string commit;
  std::string began;  // UTC
  double took_s = 0;
  Machine machine;
  std::string placement;
  std::string command;  // reproduces the run
  std::string fault;
  std::string load;  // in words
  bool quick = false;
  bool interrupted = false;
  double recording_cost_ns = 0;
  std::vector<std::string> notes;
  std::vector<ServerUsed> servers;
  std::vector<FaultTime> faults;
  std::vector<std::pair<std::string, std::string>> checks;  // name, claim
  std::vector<VariantResult> variants;
  std::vector<Comparison> comparisons;
  std::vector<Limit> limits;
  Verdict verdict = Verdict::inconclusive;
  int exit_status = 0;
  std::string why_lost;  // why the naive one lost, with file:line of both variants
  std::string next;      // what to try next
  std::string folder;    // where the evidence lies; empty when it could not be written
};

/// One object of schema lab.result/1, indented by two; no NaN or infinity (such a metric is left
/// out).
std::string to_json(const RunResult& result);

/// Google Benchmark's JSON: one row per scenario/variant/metric and repetition, our own build type
/// in the context. Variants without a rank have error_occurred set.
std::string to_google_benchmark_json(const RunResult& result);

/// Writes result.json, timeseries.csv, hist/<variant>-<name>.hgrm into the folder (events.ndjson is
/// EventFile's). Each file is written beside its place and renamed, so none is ever half there.
Result<void> write_result_files(const RunResult& result, const std::filesystem::path& folder);

/// results/local/<scenario>/<UTC>-<commit>-<seed>, made; `latest` beside it points to it. Errors
/// name the folder.
Result<std::filesystem::path> make_result_folder(const std::filesystem::path& results,
                                                 const std::string& scenario,
                                                 const std::string& commit, std::uint64_t seed);

}  // namespace lab::harness
