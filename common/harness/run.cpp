// The order of a run: plan, open the world, fault runs, interleaved timed rounds, verdict, files.

#include <fcntl.h>
#include <fmt/format.h>
#include <gperftools/profiler.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "core/stop.h"
#include "core/text.h"
#include "harness/exit_status.h"
#include "harness/files.h"
#include "harness/load.h"
#include "harness/scenario.h"
#include "harness/terminal.h"

namespace lab::harness {
namespace {

namespace fs = std::filesystem;

std::string describe_as_json(const Scenario& scenario) {
  nlohmann::ordered_json json{
      {"name", scenario.name}, {"question", scenario.question}, {"needs", scenario.needs}};
  for (const auto& variant : scenario.variants) {
    json["variants"].push_back({{"name", variant.name},
                                {"promise", variant.promise.text(scenario.faults.front().name)},
                                {"idea", variant.idea},
                                {"source", variant.source}});
  }
  for (const auto& fault : scenario.faults)
    json["faults"].push_back({{"name", fault.name}, {"what", fault.what}});
  for (const auto& [check, claim] : scenario.checks)
    json["checks"].push_back({{"name", check}, {"claim", claim}});
  json["serves"] = static_cast<bool>(scenario.serve);
  return json.dump(2);
}

/// The 1-based line of the source that holds the text, or 0 outside a checkout.
int line_of(const std::string& source, const std::string& text) {
  std::ifstream file(fs::path(LAB_SOURCE_DIR) / source);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.find(text) != std::string::npos) return number;
  }
  return 0;
}

std::string command_of(int argc, char** argv) {
  std::string text = fs::path(argv[0]).filename().string();
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto at = word.find('@');  // a password stands between :// and @
    const auto scheme = word.find("://");
    text += ' ';
    text += scheme != std::string::npos && at != std::string::npos
                ? word.substr(0, scheme + 3) + "***" + word.substr(at)
                : word;
  }
  return text;
}

/// Notes come from whoever has something to say; the result keeps them all.
class NoteKeeper : public EventReader {
 public:
  explicit NoteKeeper(std::vector<std::string>& notes) : notes_(notes) {}
  void on(const Event& event) override {
    if (event.type == "note") notes_.push_back(event.text("text"));
  }

 private:
  std::vector<std::string>& notes_;
};

/// One run, from the flags to the exit status.
class Run {
 public:
  Run(const Scenario& scenario, RunPlan plan, std::string command)
      : scenario_(scenario), plan_(std::move(plan)) {
    result_.scenario = scenario.name;
    result_.question = scenario.question;
    result_.seed = plan_.flags.seed;
    result_.backend = name(plan_.backend);
    result_.commit = commit();
    result_.began = utc_timestamp();
    result_.machine = plan_.machine;
    result_.placement = plan_.placement.text;
    result_.command = std::move(command);
    result_.quick = plan_.flags.quick;
    result_.checks = scenario.checks;
    result_.next = scenario.next;
    for (const auto& variant : scenario.variants) {
      if (chosen(variant.name)) chosen_.push_back(&variant);
    }
  }

  int go() {
    add_readers();
    try {
      open_world();
      fault_runs();
      timed_rounds();
    } catch (const Failure& failure) {
      if (!stop_requested()) return environment_failed(failure);
    }
    session_.reset();  // the servers go before the verdict is told
    conclude();
    return result_.exit_status;
  }

 private:
  bool chosen(const std::string& variant) const {
    const auto& wanted = plan_.flags.variants;
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), variant) != wanted.end();
  }

  void note(std::string text) { events_.emit("note", {{"text", std::move(text)}}); }

  void add_readers() {
    const Flags& flags = plan_.flags;
    events_.add(std::make_shared<NoteKeeper>(result_.notes));
    if (!flags.json) {
      const char* no_color = std::getenv("NO_COLOR");
      const std::string term = std::getenv("TERM") ? std::getenv("TERM") : "dumb";
      const bool colour = !flags.no_color && !(no_color && *no_color) && term != "dumb";
      events_.add(terminal_view({.plain = flags.plain,
                                 .quiet = flags.quiet,
                                 .colour = colour && isatty(STDOUT_FILENO),
                                 .animate = term != "dumb" && isatty(STDERR_FILENO)}));
    }
    const double estimated_s = estimate_s();
    events_.emit("started", {{"scenario", result_.scenario},
                             {"question", result_.question},
                             {"seed", static_cast<std::int64_t>(result_.seed)},
                             {"backend", result_.backend},
                             {"fault", plan_.fault},
                             {"estimated_s", estimated_s}});
    auto folder = make_result_folder(flags.results, result_.scenario, result_.commit, result_.seed);
    if (!folder) {
      files_problem_ = folder.error().message;
      return;
    }
    result_.folder = folder->string();
    file_ = std::make_shared<EventFile>(*folder / "events.ndjson");
    events_.add(file_);
  }

  double estimate_s() const {
    const auto& timing = plan_.timing;
    const double variants = static_cast<double>(chosen_.size());
    return 1 +
           variants * (1.5 * seconds(timing.load()) + timing.rounds * 1.3 * seconds(timing.round));
  }

  void open_world() {
    session_ = scenario_.open(plan_, events_);
    leave_out();
    result_.fault = plan_.fault;
    result_.backend = name(plan_.backend);
    result_.placement = plan_.placement.text;
    result_.servers = session_->servers();
    result_.load = session_->load_in_words();
    result_.recording_cost_ns = recording_cost_ns();
    for (const auto& server : result_.servers) {
      events_.emit("server", {{"kind", server.kind},
                              {"version", server.version},
                              {"pid", static_cast<std::int64_t>(server.pid)},
                              {"where", server.where}});
    }
    events_.emit("load", {{"text", result_.load}, {"placement", result_.placement}});
    if (!may_measure()) note("this is not a release build: its figures say nothing about speed");
    for (const Variant* variant : chosen_) {
      VariantResult blank;
      blank.name = variant->name;
      blank.promise = session_->promise_of(*variant).text(plan_.fault);
      blank.idea = variant->idea;
      blank.source = variant->source;
      blank.line = line_of(variant->source, variant->look_at);
      result_.variants.push_back(std::move(blank));
    }
  }

  /// The variants that this world has no place for.
  void leave_out() {
    std::erase_if(chosen_, [this](const Variant* variant) {
      const std::string why = session_->cannot_run(*variant);
      if (!why.empty()) note(variant->name + " is left out: it " + why);
      return !why.empty();
    });
  }

  void fault_runs() {
    for (std::size_t i = 0; i < chosen_.size() && !stop_requested(); ++i) {
      const Variant& variant = *chosen_[i];
      VariantResult& found = result_.variants[i];
      events_.emit("trial", {{"variant", variant.name},
                             {"index", static_cast<std::int64_t>(i + 1)},
                             {"of", static_cast<std::int64_t>(chosen_.size())}});
      TrialReport report = session_->trial(variant, events_);
      if (stop_requested()) return;  // half a trial proves nothing
      apply_guards(report.checks, report.guards);
      found.checks = std::move(report.checks);
      found.guards = std::move(report.guards);
      found.metrics = std::move(report.metrics);
      found.histograms = std::move(report.histograms);
      found.timeseries = std::move(report.timeseries);
      result_.faults.insert(result_.faults.end(), report.faults.begin(), report.faults.end());
      found.verdict = overall(found.checks);
      found.as_promised = against_promise(found.checks, session_->promise_of(variant), plan_.fault);
      found.ranked = found.verdict == Verdict::holds;
      for (const auto& [check, outcome] : found.checks) {
        events_.emit("check", {{"variant", variant.name},
                               {"name", check},
                               {"verdict", std::string(name(outcome.verdict))},
                               {"witness", outcome.witness}});
      }
    }
  }

  void timed_rounds() {
    if (plan_.timing.rounds == 0) return;
    const bool profiled =
        !plan_.flags.cpu_profile.empty() && ProfilerStart(plan_.flags.cpu_profile.c_str());
    std::vector<std::size_t> order(chosen_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    Random random = Random(plan_.flags.seed).stream(99);
    for (int round = 0; round < plan_.timing.rounds && !stop_requested(); ++round) {
      events_.emit("round",
                   {{"index", std::int64_t{round + 1}}, {"of", std::int64_t{plan_.timing.rounds}}});
      std::shuffle(order.begin(), order.end(), random);  // no variant is always first
      // A round counts whole or not at all: comparisons are paired.
      std::vector<RoundReport> reports(chosen_.size());
      for (const std::size_t i : order) {
        reports[i] = session_->round(*chosen_[i], round);
        if (stop_requested()) break;
      }
      if (stop_requested()) break;
      if (any_spoiled(reports, round)) continue;
      for (const std::size_t i : order) keep(i, std::move(reports[i]));
      keep_limits(session_->limits(round));
    }
    if (profiled) ProfilerStop();
  }

  /// One wrong answer spoils the round for all: comparisons are paired by round.
  bool any_spoiled(const std::vector<RoundReport>& reports, int round) {
    bool spoiled = false;
    for (std::size_t i = 0; i < reports.size(); ++i) {
      if (reports[i].spoiled.empty()) continue;
      spoiled = true;
      note(fmt::format("round {} is left out: {}: {}", round + 1, result_.variants[i].name,
                       reports[i].spoiled));
    }
    return spoiled;
  }

  void keep(std::size_t index, RoundReport report) {
    VariantResult& found = result_.variants[index];
    for (auto& metric : report.metrics) {
      metric.timed = true;
      const auto same = std::find_if(found.metrics.begin(), found.metrics.end(),
                                     [&](const Metric& kept) { return kept.name == metric.name; });
      if (same == found.metrics.end()) {
        found.metrics.push_back(std::move(metric));
      } else {
        same->samples.insert(same->samples.end(), metric.samples.begin(), metric.samples.end());
      }
    }
    for (const auto& [family, histogram] : report.histograms)
      found.histograms[family].merge(histogram);
  }

  void keep_limits(std::vector<Limit> limits) {
    for (auto& limit : limits) {
      const auto same = std::find_if(result_.limits.begin(), result_.limits.end(),
                                     [&](const Limit& kept) { return kept.name == limit.name; });
      if (same == result_.limits.end()) {
        result_.limits.push_back(std::move(limit));
      } else {
        same->samples.insert(same->samples.end(), limit.samples.begin(), limit.samples.end());
      }
    }
  }

  const Metric* metric_of(const VariantResult& variant, const std::string& metric) const {
    for (const auto& candidate : variant.metrics) {
      if (candidate.name == metric && !candidate.samples.empty()) return &candidate;
    }
    return nullptr;
  }

  /// The variant that kept every check and is best by this metric, over all timed rounds.
  const VariantResult* best(const std::string& name) const {
    const VariantResult* best = nullptr;
    for (const auto& variant : result_.variants) {
      const Metric* metric = variant.ranked ? metric_of(variant, name) : nullptr;
      if (!metric) continue;
      const Metric* leading = best ? metric_of(*best, name) : nullptr;
      const bool higher = metric->better != Better::lower;
      if (!leading || (metric->summary().median > leading->summary().median) == higher)
        best = &variant;
    }
    return best;
  }

  const VariantResult* ranked(const std::string& name) const {
    for (const auto& variant : result_.variants) {
      if (variant.name == name && variant.ranked) return &variant;
    }
    return nullptr;
  }

  void compare_with(const VariantResult& winner) {
    const Metric* leading = metric_of(winner, scenario_.rank_by);
    for (const auto& variant : result_.variants) {
      const Metric* metric = metric_of(variant, scenario_.rank_by);
      if (&variant == &winner || !variant.ranked || !metric) continue;
      result_.comparisons.push_back(
          {scenario_.rank_by, winner.name, variant.name,
           paired_ratio(leading->samples, metric->samples, result_.seed)});
    }
  }

  void compare() {
    if (const VariantResult* winner = best(scenario_.rank_by)) compare_with(*winner);
    for (auto& limit : result_.limits) {
      const VariantResult* of = limit.best.empty() ? best(limit.metric) : ranked(limit.best);
      const Metric* bounded = of ? metric_of(*of, limit.metric) : nullptr;
      if (!bounded) continue;
      limit.best = of->name;
      limit.ratio = paired_ratio(bounded->samples, limit.samples, result_.seed);
    }
  }

  void explain() {
    const auto find = [&](const std::string& wanted) -> const VariantResult* {
      for (const auto& variant : result_.variants) {
        if (variant.name == wanted) return &variant;
      }
      return nullptr;
    };
    const VariantResult* naive = find(scenario_.naive);
    const VariantResult* winner = best(scenario_.rank_by);
    if (!winner) {
      for (const auto& variant : result_.variants) winner = variant.ranked ? &variant : winner;
    }
    if (!naive || naive->verdict != Verdict::violated) return;
    result_.why_lost = fmt::format("{}\n{}:{}", scenario_.lesson, naive->source, naive->line);
    if (winner)
      result_.why_lost += fmt::format("\n{}\n{}:{}", winner->idea, winner->source, winner->line);
  }

  Verdict run_verdict() const {
    bool inconclusive = result_.variants.empty();
    for (const auto& variant : result_.variants) {
      if (variant.as_promised == Verdict::violated) return Verdict::violated;
      inconclusive |= variant.as_promised == Verdict::inconclusive;
    }
    return inconclusive ? Verdict::inconclusive : Verdict::holds;
  }

  void conclude() {
    result_.interrupted = stop_requested();
    compare();
    explain();
    result_.verdict = run_verdict();
    result_.exit_status = result_.interrupted                        ? kInterrupted
                          : result_.verdict == Verdict::violated     ? kPromiseBroken
                          : result_.verdict == Verdict::inconclusive ? kInconclusive
                                                                     : kAsPromised;
    write_files();
    result_.took_s = seconds(now() - began_);
    events_.emit("finished",
                 {{"verdict", std::string(name(result_.verdict))},
                  {"exit_status", std::int64_t{result_.exit_status}}},
                 &result_);
    if (plan_.flags.json) std::cout << to_json(result_) << std::endl;
    if (!files_problem_.empty())
      fmt::print(stderr, "The evidence could not be kept: {}\n", files_problem_);
    if (!std::cout && result_.exit_status == kAsPromised) result_.exit_status = kEnvironmentFailed;
  }

  void write_files() {
    result_.took_s = seconds(now() - began_);
    if (files_problem_.empty()) {
      if (auto written = write_result_files(result_, result_.folder); !written)
        files_problem_ = written.error().message;
    }
    if (files_problem_.empty() && file_) files_problem_ = file_->problem();
    if (plan_.flags.record) record_reference();
    if (files_problem_.empty()) return;
    result_.notes.push_back("the evidence could not be kept: " + files_problem_);
    result_.folder.clear();
    if (result_.exit_status == kAsPromised) result_.exit_status = kEnvironmentFailed;
  }

  void record_reference() {
    if (!may_measure() || result_.exit_status != kAsPromised) {
      note(
          "not recorded: only a release build whose run is all as promised may write "
          "results/reference");
      return;
    }
    const fs::path folder = fs::path(LAB_SOURCE_DIR) / "results" / "reference";
    const std::string& own_name = plan_.flags.record_as;
    const std::string stem = result_.scenario + (own_name.empty() ? "" : "-" + own_name) + "-" +
                             std::to_string(result_.machine.cpus) + "cpu";
    RunResult recorded = result_;
    recorded.folder.clear();  // evidence of another machine's disk
    std::vector<std::pair<std::string, std::string>> files{{stem + ".json", to_json(recorded)}};
    // Its rows are named by the scenario, for histories of the usual run.
    if (own_name.empty())
      files.emplace_back(stem + ".benchmark.json", to_google_benchmark_json(recorded));
    for (const auto& [name, text] : files) {
      if (auto written = replace_file(folder / name, text + "\n"); !written)
        files_problem_ = written.error().message;
    }
  }

  int environment_failed(const Failure& failure) {
    session_.reset();
    events_.emit("failed", {{"text", std::string(failure.what())}});
    fmt::print(stderr, "{}: {}\n", scenario_.name, failure.what());
    const bool usage = failure.error().code == ErrorCode::invalid;
    if (!usage && !result_.variants.empty()) {  // what was measured before it failed is kept
      result_.notes.push_back(std::string("the run ended early: ") + failure.what());
      write_files();
      if (!result_.folder.empty())
        fmt::print(stderr, "What was measured is kept in {}\n", result_.folder);
    }
    return usage ? kUsage : kEnvironmentFailed;
  }

  const Scenario& scenario_;
  RunPlan plan_;
  RunResult result_;
  Instant began_ = now();
  EventStream events_;
  std::shared_ptr<EventFile> file_;
  std::string files_problem_;
  std::vector<const Variant*> chosen_;
  std::unique_ptr<Session> session_;
};

/// The server of one variant, for curl, wrk, a browser.
int serve(const Scenario& scenario, const Flags& flags) {
  const auto refuse = [&scenario](int status, std::string_view why) {
    fmt::print(stderr, "{}: {}\n", scenario.name, why);
    return status;
  };
  if (!scenario.serve) return refuse(kUsage, "its variants are no servers, so none can be served");
  if (flags.variants.size() != 1)
    return refuse(kUsage,
                  "say which variant is to serve, like --variant " + scenario.variants.back().name);
  const auto variant =
      std::find_if(scenario.variants.begin(), scenario.variants.end(),
                   [&](const Variant& each) { return each.name == flags.variants.front(); });
  if (!variant->promise.breaks().empty())
    fmt::print(stderr, "{}: {} is broken on purpose: {}\n", scenario.name, variant->name,
               variant->idea);
  try {
    return scenario.serve({*variant, flags.port, flags});
  } catch (const Failure& failure) {
    const bool usage = failure.error().code == ErrorCode::invalid;
    return refuse(usage ? kUsage : kEnvironmentFailed, failure.what());
  }
}

}  // namespace

int run_main(const Scenario& scenario, int argc, char** argv) {
  handle_stop_signals();
  const ParsedFlags parsed = parse_flags(scenario, argc, argv);
  if (parsed.exit_status) return *parsed.exit_status;
  const Flags& flags = parsed.flags;
  if (flags.describe) {
    std::cout << describe_as_json(scenario) << std::endl;
    return kAsPromised;
  }
  if (flags.serve) return serve(scenario, flags);
  RunPlan plan;
  plan.flags = flags;
  plan.fault = flags.fault;
  plan.backend = flags.backend.value_or(Backend::real);
  plan.timing = scenario.timing(flags);
  if (flags.rounds) plan.timing.rounds = *flags.rounds;
  plan.machine = this_machine();
  plan.placement = choose_placement();
  apply_to_this_process(plan.placement);
  return Run(scenario, std::move(plan), command_of(argc, argv)).go();
}

}  // namespace lab::harness
