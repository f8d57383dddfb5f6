#include "harness/results.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/files.h"

namespace lab::harness {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "lab.result/1";
constexpr double kNanosPerSecond = 1e9;

// ---- JSON text -------------------------------------------------------------------------------

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_list_of_scalars(const Json& value) {
  return value.is_array() &&
         std::none_of(value.begin(), value.end(), [](const Json& v) { return v.is_structured(); });
}

/// Indented by two, but a list of numbers stays on one line: a result is also read by people.
void write_indented(const Json& value, std::size_t depth, std::string& out) {
  if (!value.is_structured() || value.empty() || is_list_of_scalars(value)) {
    out += compact(value);
    return;
  }
  const std::string indent(2 * depth + 2, ' ');
  out += value.is_object() ? "{\n" : "[\n";
  bool first = true;
  for (const auto& item : value.items()) {
    out += first ? indent : ",\n" + indent;
    first = false;
    if (value.is_object()) out += compact(item.key()) + ": ";
    write_indented(item.value(), depth + 1, out);
  }
  out += '\n' + std::string(2 * depth, ' ') + (value.is_object() ? '}' : ']');
}

std::string to_text(const Json& value) {
  std::string out;
  write_indented(value, 0, out);
  return out;
}

// ---- lab.result/1 ----------------------------------------------------------------------------

std::string_view name_of(Better better) {
  switch (better) {
    case Better::higher: return "higher";
    case Better::lower: return "lower";
    case Better::neither: return "neither";
  }
  return "neither";
}

std::string_view name_of(Ratio::Answer answer) {
  switch (answer) {
    case Ratio::Answer::larger: return "larger";
    case Ratio::Answer::smaller: return "smaller";
    case Ratio::Answer::cannot_tell: return "cannot_tell";
  }
  return "cannot_tell";
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// JSON has no NaN and no infinity; and a metric without a sample says nothing.
bool can_be_told(std::span<const double> samples) {
  return !samples.empty() && all_finite(samples);
}

bool can_be_told(const Ratio& ratio) {
  return std::isfinite(ratio.value) && std::isfinite(ratio.low) && std::isfinite(ratio.high);
}

Json json_of(const Machine& machine) {
  return {{"cpu", machine.cpu},
          {"cpus", machine.cpus},
          {"memory_mb", machine.memory_mb},
          {"kernel", machine.kernel},
          {"system", machine.system},
          {"compiler", machine.compiler},
          {"build_type", machine.build_type},
          {"sanitizers", machine.sanitizers},
          {"hypervisor", machine.hypervisor},
          {"load_average", machine.load_average}};
}

Json json_of(const ServerUsed& server) {
  return {{"kind", server.kind},
          {"version", server.version},
          {"where", server.where},
          {"pid", server.pid},
          {"durability", server.durability}};
}

Json json_of(const FaultTime& fault) {
  return {{"name", fault.name},         {"target", fault.target},     {"variant", fault.variant},
          {"began_ms", fault.began_ms}, {"ended_ms", fault.ended_ms}, {"error", fault.error}};
}

Json json_of(const NamedResult& check) {
  return {{"name", check.check},
          {"verdict", name(check.result.verdict)},
          {"witness", check.result.witness},
          {"examined", check.result.examined}};
}

Json json_of(const Guard& guard) {
  return {{"name", guard.name}, {"satisfied", guard.satisfied}, {"detail", guard.detail}};
}

Json json_of(const Metric& metric) {
  const Summary summary = metric.summary();
  const bool timed = metric.timed || metric.samples.size() > 1;
  return {{"name", metric.name},
          {"unit", metric.unit},
          {"better", name_of(metric.better)},
          {"from", timed ? "rounds" : "fault_run"},
          {"median", summary.median},
          {"low", summary.low},
          {"high", summary.high},
          {"n", summary.n},
          {"samples", metric.samples}};
}

Json latency_json(const std::string& family, const Histogram& histogram) {
  const auto at = [&histogram](double p) { return microseconds(histogram.percentile(p)); };
  return {
      {"name", family},     {"n", histogram.count()}, {"mean_us", histogram.mean_ns() / 1e3},
      {"p50_us", at(0.5)},  {"p90_us", at(0.9)},      {"p95_us", at(0.95)},
      {"p99_us", at(0.99)}, {"p999_us", at(0.999)},   {"max_us", microseconds(histogram.max())}};
}

/// By column, so that it takes six lines and not six hundred.
Json timeseries_json(const std::vector<TimePoint>& points) {
  const auto column = [&points](auto field) {
    Json values = Json::array();
    for (const auto& point : points) values.push_back(point.*field);
    return values;
  };
  return {{"t_ms", column(&TimePoint::t_ms)},     {"operations", column(&TimePoint::operations)},
          {"failed", column(&TimePoint::failed)}, {"p50_us", column(&TimePoint::p50_us)},
          {"p99_us", column(&TimePoint::p99_us)}, {"fault", column(&TimePoint::fault)}};
}

Json json_of(const VariantResult& variant);

template <class Range>
Json list(const Range& items) {
  Json values = Json::array();
  for (const auto& item : items) values.push_back(json_of(item));
  return values;
}

Json metrics_json(const std::vector<Metric>& metrics) {
  Json values = Json::array();
  for (const auto& metric : metrics) {
    if (can_be_told(metric.samples)) values.push_back(json_of(metric));
  }
  return values;
}

Json json_of(const VariantResult& variant) {
  Json latencies = Json::array();
  for (const auto& [family, histogram] : variant.histograms) {
    if (!histogram.empty()) latencies.push_back(latency_json(family, histogram));
  }
  return {{"name", variant.name},
          {"promise", variant.promise},
          {"verdict", name(variant.verdict)},
          {"as_promised", name(variant.as_promised)},
          {"ranked", variant.ranked},
          {"idea", variant.idea},
          {"source", variant.source},
          {"line", variant.line},
          {"checks", list(variant.checks)},
          {"guards", list(variant.guards)},
          {"metrics", metrics_json(variant.metrics)},
          {"latencies", std::move(latencies)},
          {"timeseries", timeseries_json(variant.timeseries)}};
}

void add_ratio(Json& object, const Ratio& ratio) {
  object["ratio"] = ratio.value;
  object["ratio_low"] = ratio.low;
  object["ratio_high"] = ratio.high;
  object["ratio_n"] = ratio.n;
  object["answer"] = name_of(ratio.answer());
}

Json comparisons_json(const std::vector<Comparison>& comparisons) {
  Json values = Json::array();
  for (const auto& comparison : comparisons) {
    if (!can_be_told(comparison.ratio)) continue;
    Json value{{"metric", comparison.metric}, {"a", comparison.a}, {"b", comparison.b}};
    add_ratio(value, comparison.ratio);
    values.push_back(std::move(value));
  }
  return values;
}

Json limits_json(const std::vector<Limit>& limits) {
  Json values = Json::array();
  for (const auto& limit : limits) {
    if (!can_be_told(limit.samples) || !can_be_told(limit.ratio)) continue;
    const Summary summary = summarize(limit.samples);
    Json value{{"name", limit.name},       {"metric", limit.metric},   {"unit", limit.unit},
               {"median", summary.median}, {"low", summary.low},       {"high", summary.high},
               {"n", summary.n},           {"samples", limit.samples}, {"best", limit.best}};
    add_ratio(value, limit.ratio);
    if (limit.comparison) value["comparison"] = true;
    values.push_back(std::move(value));
  }
  return values;
}

Json checks_json(const std::vector<std::pair<std::string, std::string>>& checks) {
  Json values = Json::array();
  for (const auto& [check, claim] : checks) values.push_back({{"name", check}, {"claim", claim}});
  return values;
}

double finite_or_zero(double value) {
  return std::isfinite(value) ? value : 0;
}

}  // namespace

Metric single_sample(std::string name, std::string unit, Better better, double value) {
  return {.name = std::move(name), .unit = std::move(unit), .better = better, .samples = {value}};
}

std::string to_json(const RunResult& result) {
  return to_text({{"schema", kSchema},
                  {"scenario", result.scenario},
                  {"question", result.question},
                  {"seed", result.seed},
                  {"backend", result.backend},
                  {"commit", result.commit},
                  {"began", result.began},
                  {"took_s", finite_or_zero(result.took_s)},
                  {"command", result.command},
                  {"machine", json_of(result.machine)},
                  {"placement", result.placement},
                  {"fault", result.fault},
                  {"load", result.load},
                  {"quick", result.quick},
                  {"interrupted", result.interrupted},
                  {"recording_cost_ns", finite_or_zero(result.recording_cost_ns)},
                  {"verdict", name(result.verdict)},
                  {"exit_status", result.exit_status},
                  {"notes", result.notes},
                  {"servers", list(result.servers)},
                  {"faults", list(result.faults)},
                  {"checks", checks_json(result.checks)},
                  {"variants", list(result.variants)},
                  {"comparisons", comparisons_json(result.comparisons)},
                  {"limits", limits_json(result.limits)},
                  {"why_lost", result.why_lost},
                  {"next", result.next},
                  {"folder", result.folder}});
}

// ---- Google Benchmark ------------------------------------------------------------------------

namespace {

bool is_time(std::string_view unit) {
  return unit == "ns" || unit == "us" || unit == "ms" || unit == "s";
}

/// "2026-11-21T01:16:43+00:00": the format's own way of writing UTC.
std::string with_offset(std::string utc) {
  if (utc.ends_with('Z')) utc.replace(utc.size() - 1, 1, "+00:00");
  return utc;
}

Json benchmark_context(const RunResult& result) {
  return {{"date", with_offset(result.began)},
          {"host_name", "localhost"},
          {"executable", result.scenario},
          {"num_cpus", result.machine.cpus},
          {"mhz_per_cpu", 0},
          {"cpu_scaling_enabled", false},
          {"caches", Json::array()},
          {"load_avg", Json::array({result.machine.load_average})},
          {"library_version", "lab-0.1"},
          {"library_build_type", result.machine.build_type},
          {"json_schema_version", 1},
          {"git_sha", result.commit},
          {"scenario", result.scenario},
          {"backend", result.backend},
          {"seed", std::to_string(result.seed)},
          {"cpu", result.machine.cpu},
          {"placement", result.placement}};
}

/// The format knows only times. A rate becomes the time of one item, with the rate beside it;
/// anything else is written as it is, with its unit in the label.
void add_value(Json& row, const Metric& metric, double value, std::uint64_t seed) {
  const bool rate = metric.unit == "1/s";
  if (rate && value <= 0) {
    row.update({{"error_occurred", true}, {"error_message", "nothing was done"}});
    value = 0;
  }
  const double time = rate && value > 0 ? kNanosPerSecond / value : value;
  row["real_time"] = time;
  row["cpu_time"] = time;  // CPU time is not measured per variant
  row["time_unit"] = is_time(metric.unit) ? metric.unit : "ns";
  if (rate) row["items_per_second"] = value;
  row["label"] = is_time(metric.unit) || rate
                     ? fmt::format("seed={}", seed)
                     : fmt::format("seed={} unit={}, not a time", seed, metric.unit);
}

std::string why_unranked(const VariantResult& variant) {
  if (variant.verdict == Verdict::holds) return "not ranked: a timed round gave wrong answers";
  std::string broken;
  for (const auto& check : variant.checks) {
    if (check.result.verdict != Verdict::violated) continue;
    broken += (broken.empty() ? "" : ", ") + check.check;
  }
  if (broken.empty()) return "not ranked: its checks were inconclusive";
  return "not ranked: breaks " + broken;
}

struct Family {
  std::size_t index;
  const RunResult& result;
  const VariantResult& variant;
  const Metric& metric;
};

Json benchmark_row(const Family& family, std::size_t repetition, std::size_t repetitions) {
  const std::string name =
      fmt::format("{}/{}/{}", family.result.scenario, family.variant.name, family.metric.name);
  return {{"name", name},
          {"family_index", family.index},
          {"per_family_instance_index", 0},
          {"run_name", name},
          {"run_type", "iteration"},
          {"repetitions", repetitions},
          {"repetition_index", repetition},
          {"threads", 1},
          {"iterations", 1}};
}

void add_rows(const Family& family, Json& rows) {
  const auto& samples = family.metric.samples;
  if (!family.variant.ranked) {
    Json row = benchmark_row(family, 0, 1);
    row.update({{"iterations", 0},
                {"real_time", 0},
                {"cpu_time", 0},
                {"time_unit", "ns"},
                {"error_occurred", true},
                {"error_message", why_unranked(family.variant)}});
    rows.push_back(std::move(row));
    return;
  }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    Json row = benchmark_row(family, i, samples.size());
    add_value(row, family.metric, samples[i], family.result.seed);
    rows.push_back(std::move(row));
  }
}

}  // namespace

std::string to_google_benchmark_json(const RunResult& result) {
  Json rows = Json::array();
  std::size_t index = 0;
  for (const auto& variant : result.variants) {
    for (const auto& metric : variant.metrics) {
      if (can_be_told(metric.samples)) add_rows({index++, result, variant, metric}, rows);
    }
  }
  return to_text({{"context", benchmark_context(result)}, {"benchmarks", std::move(rows)}});
}

// ---- files -----------------------------------------------------------------------------------

namespace {

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text)
    quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + '"';
}

std::string timeseries_csv(const RunResult& result) {
  std::string out = "t_ms,variant,ops,err,p50_us,p99_us,fault\n";
  for (const auto& variant : result.variants) {
    for (const auto& point : variant.timeseries) {
      out += fmt::format("{:.1f},{},{},{},{:.1f},{:.1f},{}\n", point.t_ms, csv_field(variant.name),
                         point.operations, point.failed, point.p50_us, point.p99_us,
                         csv_field(point.fault));
    }
  }
  return out;
}

Result<void> write_histograms(const RunResult& result, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return file_error("make", folder, error.value());
  for (const auto& variant : result.variants) {
    for (const auto& [family, histogram] : variant.histograms) {
      std::ostringstream table;
      histogram.write_hgrm(table);
      const auto file = folder / fmt::format("{}-{}.hgrm", variant.name, family);
      if (auto written = replace_file(file, table.str()); !written) return written;
    }
  }
  return {};
}

/// `latest` is replaced by a rename, so that whoever follows it always finds a run.
Result<void> point_latest_to(const fs::path& folder) {
  const fs::path latest = folder.parent_path() / "latest";
  const fs::path temporary = folder.parent_path() / fmt::format(".latest-{}", ::getpid());
  std::error_code error;
  fs::create_symlink(folder.filename(), temporary, error);
  if (!error) fs::rename(temporary, latest, error);
  if (!error) return {};
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return file_error("make the link", latest, error.value());
}

}  // namespace

Result<void> write_result_files(const RunResult& result, const fs::path& folder) {
  // The result comes first: on a disk that is nearly full it is what matters.
  if (auto written = replace_file(folder / "result.json", to_json(result) + '\n'); !written)
    return written;
  if (auto written = replace_file(folder / "timeseries.csv", timeseries_csv(result)); !written) {
    return written;
  }
  return write_histograms(result, folder / "hist");
}

Result<fs::path> make_result_folder(const fs::path& results, const std::string& scenario,
                                    const std::string& commit, std::uint64_t seed) {
  const fs::path parent = results / scenario;
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) return file_error("make", parent, error.value());
  const std::string name = fmt::format("{}-{}-{}", utc_compact(), commit, seed);
  fs::path folder = parent / name;
  // Two runs in the same second get a folder each.
  for (int i = 2; !fs::create_directory(folder, error) && !error; ++i) {
    folder = parent / fmt::format("{}-{}", name, i);
  }
  if (error) return file_error("make", folder, error.value());
  if (auto linked = point_latest_to(folder); !linked) return linked.error();
  return folder;
}

}  // namespace lab::harness
