#include "harness/flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include <CLI/CLI.hpp>

#include "core/result.h"
#include "core/text.h"
#include "harness/exit_status.h"
#include "harness/scenario.h"

namespace lab::harness {
namespace {

std::vector<std::string> variant_names(const Scenario& scenario) {
  std::vector<std::string> names;
  for (const auto& variant : scenario.variants) names.push_back(variant.name);
  return names;
}

std::vector<std::string> fault_names(const Scenario& scenario) {
  std::vector<std::string> names;
  for (const auto& fault : scenario.faults) names.push_back(fault.name);
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Refuses a name that is not among the known ones, and says which it may have been.
void require_known(std::string_view what, const std::string& typed,
                   const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), typed) != known.end()) return;
  const std::string near = nearest(typed, known);
  const std::string hint =
      near.empty() ? "one of: " + joined(known) : "did you mean '" + near + "'?";
  throw Failure(
      Error{ErrorCode::invalid, Happened::no, fmt::format("no {} '{}'; {}", what, typed, hint)});
}

/// "250ms", "10s", "2m"; a bare number is seconds.
Nanos parse_duration(const std::string& text) {
  std::size_t digits = 0;
  double value = 0;
  try {
    value = std::stod(text, &digits);
  } catch (const std::exception&) {
    digits = 0;
  }
  const std::string unit = text.substr(digits);
  const double scale = unit == "ms"                  ? 1e6
                       : unit == "s" || unit.empty() ? 1e9
                       : unit == "m"                 ? 6e10
                                                     : 0;
  if (digits == 0 || scale == 0 || value < 0.1 * 1e9 / scale || value * scale > 3.6e12) {
    throw Failure(
        Error{ErrorCode::invalid, Happened::no,
              fmt::format("--duration takes 100ms to 60m, like 500ms, 10s or 2m; not '{}'", text)});
  }
  return Nanos(static_cast<std::int64_t>(value * scale));
}

std::string footer(const Scenario& scenario) {
  std::string text = "Variants:\n";
  for (const auto& variant : scenario.variants)
    text += fmt::format("  {:<24} {}\n", variant.name, variant.idea);
  text += "Faults:\n";
  for (const auto& fault : scenario.faults)
    text += fmt::format("  {:<24} {}\n", fault.name, fault.what);
  return text +
         "Exit status: 0 all as promised, 1 a promise broken, 2 usage, 3 the environment failed, 4 "
         "inconclusive,\n"
         "             77 skipped, 130 interrupted";
}

}  // namespace

std::string_view name(Backend backend) {
  return backend == Backend::real ? "real" : "embedded";
}

ParsedFlags parse_flags(const Scenario& scenario, int argc, char** argv) {
  Flags flags;
  std::string backend, duration;
  CLI::App app{scenario.name + ": " + scenario.question};
  app.footer(footer(scenario));
  app.set_version_flag("--version", "lab 0.1.0");
  app.add_option("--variant", flags.variants, "only these variants (comma-separated or repeated)")
      ->delimiter(',');
  app.add_option("--fault", flags.fault,
                 "what happens half-way; default: " + scenario.faults.front().name);
  app.add_option("--backend", backend,
                 "real (private servers) or embedded; default: real when it is installed");
  app.add_option("--sql", flags.sql, "which private SQL server: mariadb (default) or postgres");
  app.add_option("--redis-url", flags.redis_url,
                 "your own Redis: redis://[user:password@]host[:port] or unix:///socket");
  app.add_option("--sql-url", flags.sql_url,
                 "your own database: mysql://user:password@host/database or postgres://…");
  app.add_option("--amqp-url", flags.amqp_url,
                 "your own RabbitMQ: amqp://[user:password@]host[:port][/vhost]");
  app.add_option("--seed", flags.seed, "replays the same workload and fault plan; default 7");
  app.add_option("--duration", duration, "how long each variant's fault run lasts, like 4s");
  app.add_option("--rounds", flags.rounds, "timed rounds per variant; 0: no timing")
      ->check(CLI::Range(0, 1000));
  app.add_option("--kills", flags.kills,
                 "how many processes are killed in each variant's fault run, where the fault kills")
      ->check(CLI::Range(0, 100'000));
  app.add_option("--jobs", flags.jobs,
                 "how many jobs each variant's fault run has, where the load is a number of jobs")
      ->check(CLI::Range(10, 10'000'000));
  app.add_flag("--quick", flags.quick, "a short run, for a first look and for CI");
  app.add_flag("--json", flags.json, "print one JSON object of schema lab.result/1");
  app.add_flag("--plain", flags.plain, "print tab-separated tables");
  app.add_flag("--quiet,-q", flags.quiet, "print the verdict only");
  app.add_flag("--no-color", flags.no_color, "no colours (as NO_COLOR does)");
  app.add_option("--results", flags.results, "where the evidence goes; default results/local");
  app.add_flag("--record", flags.record, "also write results/reference (release builds only)");
  app.add_option("--record-as", flags.record_as,
                 "record a run of another size under a name of its own, like 'long': "
                 "results/reference/SCENARIO-long-2cpu.json")
      ->check(CLI::Validator(
          [](const std::string& name) {
            const bool plain = !name.empty() && name.size() <= 32 &&
                               std::all_of(name.begin(), name.end(), [](unsigned char c) {
                                 return std::islower(c) || std::isdigit(c) || c == '-';
                               });
            return plain ? std::string() : "a name is small letters, digits and '-'";
          },
          "NAME"));
  app.add_option("--cpu-profile", flags.cpu_profile,
                 "write a gperftools CPU profile of the timed rounds");
  app.add_flag("--describe", flags.describe,
               "print the scenario's declaration as JSON, and run nothing");
  app.add_flag("--serve", flags.serve,
               "run nothing: be the server of the one --variant until SIGTERM");
  app.add_option("--port", flags.port,
                 "with --serve: its port on 127.0.0.1; default: any that is free")
      ->check(CLI::Range(0, 65535));
  try {
    app.parse(argc, argv);
    for (const auto& variant : flags.variants)
      require_known("variant", variant, variant_names(scenario));
    flags.record |= !flags.record_as.empty();
    flags.fault_chosen = !flags.fault.empty();
    if (!flags.fault_chosen) flags.fault = scenario.faults.front().name;
    require_known("fault", flags.fault, fault_names(scenario));
    if (!backend.empty()) {
      require_known("backend", backend, {"real", "embedded"});
      flags.backend = backend == "real" ? Backend::real : Backend::embedded;
    }
    require_known("SQL server", flags.sql, {"mariadb", "postgres"});
    if (!duration.empty()) flags.duration = parse_duration(duration);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return {flags, code == 0 ? kAsPromised : kUsage};
  } catch (const Failure& failure) {
    fmt::print(stderr, "{}: {}\nTry '{} --help'.\n", argv[0], failure.what(), argv[0]);
    return {flags, kUsage};
  }
  return {flags, std::nullopt};
}

}  // namespace lab::harness
