#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/text.h"
#include "harness/files.h"
#include "judge/json_lines.h"
#include "judge/linearizable.h"
#include "judge/list_append.h"
#include "judge/timeline.h"

namespace lab::cli {
namespace {

using judge::Judgement;
using judge::Verdict;

/// What was asked and what came out of it, for whoever tells.
struct Judged {
  Judgement judgement;
  std::string asked;  // "serializable", "linearizable"
  std::string unit;   // what was judged: "transactions"
  std::string html;
};

Result<Judged> judge_lists(std::istream& in, const JudgeOptions& options,
                           const std::string& title) {
  const auto level = judge::level_named(options.level.empty() ? "serializable" : options.level);
  if (!level) return level.error();
  const auto history = judge::read_transactions(in);
  if (!history) return history.error();
  auto judgement = judge::check_list_append(*history, {.level = *level,
                                                       .process_order = options.process_order,
                                                       .real_time_order = options.real_time_order,
                                                       .timeout = options.timeout});
  if (!judgement) return judgement.error();
  Judged judged{std::move(*judgement), std::string(name(*level)), "transactions", {}};
  if (!options.html.empty()) judged.html = timeline_html(*history, judged.judgement, title);
  return judged;
}

Result<Judged> judge_registers(std::istream& in, const JudgeOptions& options,
                               const std::string& title) {
  const auto history = judge::read_operations(in, options.model == "kv");
  if (!history) return history.error();
  Judged judged{judge::check_linearizable(*history, {.timeout = options.timeout}),
                "linearizable",
                "operations",
                {}};
  if (!options.html.empty())
    judged.html = judge::timeline_html(std::span<const judge::KeyOperation>(*history),
                                       judged.judgement, title);
  return judged;
}

Result<Judged> judged_history(const JudgeOptions& options) {
  const bool lists = options.model == "list-append";
  const auto judge_from = [&](std::istream& in, const std::string& title) {
    return lists ? judge_lists(in, options, title) : judge_registers(in, options, title);
  };
  if (options.history == "-") return judge_from(std::cin, "the history");
  std::ifstream file(options.history, std::ios::binary);
  if (!file || file.peek() == std::ifstream::traits_type::eof()) {
    return Error{ErrorCode::not_found, Happened::no,
                 file.is_open() && file.eof() ? "is empty" : "cannot be read"};
  }
  return judge_from(file, options.history);
}

int status_of(Verdict verdict) {
  return verdict == Verdict::holds      ? harness::kAsPromised
         : verdict == Verdict::violated ? kPromiseBroken
                                        : kInconclusive;
}

void print_text(const Judged& judged) {
  const Judgement& judgement = judged.judgement;
  fmt::print("{}: {} over {} {}\n", name(judgement.verdict), judged.asked,
             with_thousands(static_cast<long long>(judgement.examined)), judged.unit);
  if (!judgement.why.empty()) fmt::print("{}\n", judgement.why);
  for (const auto& finding : judgement.findings) {
    fmt::print("\n{}, {} found{}\n{}\n", finding.anomaly,
               with_thousands(static_cast<long long>(finding.found)),
               finding.violates ? "" : fmt::format(" ({} allows it)", judged.asked),
               finding.witness);
  }
}

void print_json(const Judged& judged, const JudgeOptions& options) {
  nlohmann::ordered_json object{{"schema", "lab.judgement/1"},
                                {"model", options.model},
                                {"asked", judged.asked},
                                {"verdict", name(judged.judgement.verdict)},
                                {"why", judged.judgement.why},
                                {"examined", judged.judgement.examined},
                                {"anomalies", nlohmann::ordered_json::array()}};
  for (const auto& finding : judged.judgement.findings) {
    nlohmann::ordered_json lines = nlohmann::ordered_json::array();
    for (const std::size_t place : finding.operations) lines.push_back(place + 1);
    object["anomalies"].push_back({{"name", finding.anomaly},
                                   {"violates", finding.violates},
                                   {"found", finding.found},
                                   {"witness", finding.witness},
                                   {"lines", lines}});
  }
  fmt::print("{}\n", object.dump(2));
}

}  // namespace

int judge(const JudgeOptions& options) {
  const bool lists = options.model == "list-append";
  if (!lists && (!options.level.empty() || options.process_order || options.real_time_order))
    return complain(kUsage,
                    "levels and orders are for --model list-append; a register is "
                    "linearizable or not");
  const auto judged = judged_history(options);
  if (!judged) {
    return complain(kUsage, fmt::format("{}: {}", options.history, judged.error().message));
  }
  if (options.json) {
    print_json(*judged, options);
  } else {
    print_text(*judged);
  }
  if (!options.html.empty()) {
    const auto written = harness::replace_file(options.html, judged->html);
    if (!written) return complain(kEnvironmentFailed, written.error().message);
  }
  return status_of(judged->judgement.verdict);
}

}  // namespace lab::cli
