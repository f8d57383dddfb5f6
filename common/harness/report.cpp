#include "harness/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "core/text.h"
#include "harness/table.h"

namespace lab::harness {
namespace {

constexpr std::string_view kHolds = "✓", kViolated = "✗", kUnclear = "?", kNothing = "–";
constexpr std::size_t kLabelWidth = 9;  // "Verdict  "

// ---- numbers ---------------------------------------------------------------------------------

/// Three digits that matter; a whole number stays whole.
int decimals_for(const Summary& summary) {
  const auto whole = [](double v) { return v == std::floor(v); };
  if (whole(summary.median) && whole(summary.low) && whole(summary.high)) return 0;
  const double size = std::max(std::abs(summary.median), (summary.high - summary.low) / 2);
  return std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 6);
}

std::string number(double value, int decimals) {
  if (decimals == 0) return with_thousands(std::llround(value));
  return fmt::format("{:.{}f}", value, decimals);
}

std::string with_spread(const Summary& summary) {
  const int decimals = decimals_for(summary);
  const std::string median = number(summary.median, decimals);
  if (summary.n < 2) return median;
  return median + " ±" + number((summary.high - summary.low) / 2, decimals);
}

/// "2.1×", "0.034×".
std::string times(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
}

std::string ratio_text(const Ratio& ratio) {
  return fmt::format("{}× [{}, {}]", times(ratio.value), times(ratio.low), times(ratio.high));
}

// ---- promises --------------------------------------------------------------------------------

bool is_to_break(const VariantResult& variant) {
  return variant.promise.starts_with("must_break");
}

/// "must_break(available, bounded-staleness)" names the checks that it is to break.
bool is_to_break(const VariantResult& variant, const std::string& check) {
  if (!is_to_break(variant)) return false;
  const auto open = variant.promise.find('('), close = variant.promise.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return false;
  const std::string names = ", " + variant.promise.substr(open + 1, close - open - 1) + ",";
  return names.find(", " + check + ",") != std::string::npos;
}

const CheckResult* find_check(const VariantResult& variant, const std::string& check) {
  for (const auto& [name, result] : variant.checks) {
    if (name == check) return &result;
  }
  return nullptr;
}

/// A violation that nobody promised, in a variant whose promise is broken for it.
bool is_accused(const VariantResult& variant, const std::string& check) {
  return variant.as_promised == Verdict::violated && !is_to_break(variant, check);
}

Cell mark(const VariantResult& variant, const std::string& check) {
  const CheckResult* result = find_check(variant, check);
  if (!result) return {std::string(kNothing), Style::faint};
  switch (result->verdict) {
    case Verdict::holds:
      return {std::string(kHolds), Style::good};
    case Verdict::inconclusive:
      return {std::string(kUnclear), Style::warning};
    case Verdict::violated:
      break;
  }
  return {std::string(kViolated), is_accused(variant, check) ? Style::bad : Style::warning};
}

Cell outcome(const VariantResult& variant) {
  if (variant.checks.empty()) return {"not run", Style::faint};
  if (variant.as_promised == Verdict::violated) return {"PROMISE BROKEN", Style::bad};
  if (variant.as_promised == Verdict::inconclusive) {
    const bool unbroken = is_to_break(variant) && variant.verdict == Verdict::holds;
    return {unbroken ? "did not break" : "can't tell", Style::warning};
  }
  if (is_to_break(variant)) return {"as promised: broken", Style::warning};
  const bool control = variant.promise == "control";
  if (variant.verdict == Verdict::holds) {
    return {control ? "control: holds" : "as promised: holds", Style::good};
  }
  return {control ? "control" : "as promised", Style::normal};
}

std::string outcome_word(const VariantResult& variant) {
  return variant.checks.empty() ? "not run" : std::string(name(variant.as_promised));
}

// ---- building blocks -------------------------------------------------------------------------

/// Collects lines; knows the width and whether there is colour.
class Page {
 public:
  Page(std::size_t columns, bool colour) : columns_(columns), colour_(colour) {}

  void line(std::string_view text = {}, Style style = Style::normal) {
    out_ += styled(text, style, colour_) + '\n';
  }
  void add(const Table& table) {
    for (const auto& text : table.lines(columns_, colour_)) line(text);
  }
  /// The first line behind `start`, the others under it.
  void hanging(std::string_view start, std::string_view text, Style style = Style::normal) {
    const std::size_t indent = display_width(start);
    const std::size_t room = columns_ > indent + 20 ? columns_ - indent : 20;
    std::string before = styled(start, style, colour_);
    for (const auto& piece : wrapped(text, room)) {
      line(piece.empty() ? std::string_view() : before + piece);
      before.assign(indent, ' ');
    }
  }
  void labelled(std::string_view label, std::string_view text) {
    hanging(padded(label, kLabelWidth), text, Style::heading);
  }
  std::string styled_text(std::string_view text, Style style) const {
    return styled(text, style, colour_);
  }
  std::string take() { return std::move(out_); }

 private:
  std::size_t columns_;
  bool colour_;
  std::string out_;
};

// ---- did it stay correct? --------------------------------------------------------------------

Table verdict_table(const RunResult& result) {
  Table table;
  table.add_column("");
  for (const auto& [check, claim] : result.checks) table.add_column(check);
  table.add_column("");
  for (const auto& variant : result.variants) {
    std::vector<Cell> row{{variant.name}};
    for (const auto& [check, claim] : result.checks) row.push_back(mark(variant, check));
    row.push_back(outcome(variant));
    table.add_row(std::move(row));
  }
  return table;
}

/// One witness for each check is enough to believe it; an accusation is always shown.
void add_witnesses(const RunResult& result, const std::string& check, Page& page) {
  bool shown = false;
  for (const auto& variant : result.variants) {
    const CheckResult* found = find_check(variant, check);
    if (!found || found->verdict == Verdict::holds) continue;
    const bool accused = found->verdict == Verdict::violated && is_accused(variant, check);
    const bool open =
        found->verdict == Verdict::inconclusive && variant.as_promised == Verdict::inconclusive;
    if (shown && !accused && !open) continue;
    shown = shown || found->verdict == Verdict::violated;
    const bool violated = found->verdict == Verdict::violated;
    page.hanging(fmt::format("    {} {}: ", violated ? kViolated : kUnclear, variant.name),
                 found->witness, accused ? Style::bad : Style::warning);
  }
}

void add_guards(const RunResult& result, Page& page) {
  std::set<std::string> told;
  for (const auto& variant : result.variants) {
    for (const auto& guard : variant.guards) {
      const std::string text = guard.name + ": " + guard.detail;
      if (guard.satisfied || !told.insert(text).second) continue;
      page.hanging(fmt::format("    ? {}: ", variant.name), "not enough was tested: " + text,
                   Style::warning);
    }
  }
}

void add_correctness(const RunResult& result, Page& page) {
  if (result.checks.empty() || result.variants.empty()) return;
  page.line("Did it stay correct?", Style::heading);
  page.add(verdict_table(result));
  page.line("  ✓ holds   ✗ broken   ? can't tell   – does not apply", Style::faint);
  page.line();
  for (const auto& [check, claim] : result.checks) {
    page.hanging("  " + check + "  ", claim, Style::heading);
    add_witnesses(result, check, page);
  }
  add_guards(result, page);
  page.line();
}

// ---- how fast? -------------------------------------------------------------------------------

const Metric* find_metric(const VariantResult& variant, const std::string& name) {
  for (const auto& metric : variant.metrics) {
    if (metric.name == name && !metric.samples.empty()) return &metric;
  }
  return nullptr;
}

struct MetricNames {
  std::vector<std::string> timed;  // several samples: from the timed rounds
  std::vector<std::string> once;   // one sample: from the fault run
  std::size_t rounds = 0;
};

MetricNames metric_names(const RunResult& result) {
  MetricNames names;
  std::vector<std::string> all;
  for (const auto& variant : result.variants) {
    for (const auto& metric : variant.metrics) {
      if (std::find(all.begin(), all.end(), metric.name) == all.end()) all.push_back(metric.name);
    }
  }
  for (const auto& name : all) {
    std::size_t samples = 0;
    for (const auto& variant : result.variants) {
      if (const Metric* metric = find_metric(variant, name)) {
        samples = std::max(samples, metric->samples.size());
      }
    }
    if (samples > 0) (samples > 1 ? names.timed : names.once).push_back(name);
    names.rounds = std::max(names.rounds, samples);
  }
  return names;
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

/// Speeds of variants that broke a check are struck out; what a fault did to them is evidence and
/// stays readable.
Table metric_table(const RunResult& result, const std::vector<std::string>& names, bool speeds) {
  Table table;
  table.add_column("");
  for (const auto& name : names) table.add_column(spaced(name), Table::Align::right);
  for (const auto& variant : result.variants) {
    if (variant.metrics.empty()) continue;
    const bool unranked = speeds && !variant.ranked;
    std::vector<Cell> row{{variant.name + (unranked ? " *" : "")}};
    for (const auto& name : names) {
      const Metric* metric = find_metric(variant, name);
      row.push_back(
          metric ? Cell{with_spread(metric->summary()), unranked ? Style::struck : Style::normal}
                 : Cell{std::string(kNothing), Style::faint});
    }
    table.add_row(std::move(row));
  }
  return table;
}

bool any_unranked(const RunResult& result) {
  return std::any_of(result.variants.begin(), result.variants.end(),
                     [](const auto& v) { return !v.ranked && !v.metrics.empty(); });
}

void add_limits(const RunResult& result, Page& page) {
  for (const auto& limit : result.limits) {
    if (limit.samples.empty()) continue;
    std::string text = fmt::format("{} {}", with_spread(summarize(limit.samples)), limit.unit);
    if (!limit.best.empty() && limit.ratio.n > 0) {
      text += fmt::format("; {} reaches {} of it", limit.best, ratio_text(limit.ratio));
    }
    page.hanging(fmt::format("  limit: {}: ", limit.name), text);
  }
}

void add_comparisons(const RunResult& result, Page& page) {
  if (result.comparisons.empty()) return;
  page.line("Compared  (ratio of the same rounds, 95 % interval)", Style::heading);
  Table table;
  for (int i = 0; i < 4; ++i) table.add_column("");
  for (const auto& [metric, a, b, ratio] : result.comparisons) {
    const bool unclear = ratio.answer() == Ratio::Answer::cannot_tell;
    const std::string interval = ratio.n == 0 ? "no round to compare" : ratio_text(ratio);
    table.add_row({{a + " against " + b},
                   {spaced(metric)},
                   {interval, unclear ? Style::faint : Style::normal},
                   {unclear ? "can't tell" : "", Style::warning}});
  }
  page.add(table);
  page.line();
}

void add_speed(const RunResult& result, Page& page) {
  MetricNames names = metric_names(result);
  if (names.timed.empty()) std::swap(names.timed, names.once);
  if (names.timed.empty()) return;
  page.line(names.rounds > 1
                ? fmt::format("How fast?  (median ± spread of {} rounds)", names.rounds)
                : "How fast?",
            Style::heading);
  page.add(metric_table(result, names.timed, true));
  if (any_unranked(result)) {
    page.line("  * not ranked: breaks a check, so its speed does not count", Style::faint);
  }
  add_limits(result, page);
  page.line();
  add_comparisons(result, page);
  if (names.once.empty()) return;
  page.line(result.fault.empty() ? "Measured on the way" : "Under the fault: " + result.fault,
            Style::heading);
  page.add(metric_table(result, names.once, false));
  page.line();
}

// ---- the end ---------------------------------------------------------------------------------

/// "lease breaks bounded-staleness", for each promise broken.
std::string accusations(const RunResult& result) {
  std::string text;
  for (const auto& variant : result.variants) {
    if (variant.as_promised != Verdict::violated) continue;
    std::string broken;
    for (const auto& [check, found] : variant.checks) {
      if (found.verdict != Verdict::violated || is_to_break(variant, check)) continue;
      broken += (broken.empty() ? "" : ", ") + check;
    }
    text += (text.empty() ? "" : "; ") + variant.name + " breaks " + broken;
  }
  return text;
}

std::string doubts_about(const VariantResult& variant) {
  std::string text;
  for (const auto& [check, found] : variant.checks) {
    std::string doubt;
    if (is_to_break(variant, check) && found.verdict == Verdict::holds) {
      doubt = "did not break " + check;
    } else if (found.verdict == Verdict::inconclusive) {
      doubt = "can't tell " + check;
    }
    if (!doubt.empty()) text += (text.empty() ? "" : ", ") + doubt;
  }
  if (text.empty()) text = variant.checks.empty() ? "was not run" : "a check was not judged";
  return variant.name + ": " + text;
}

std::string doubts(const RunResult& result) {
  std::string text;
  for (const auto& variant : result.variants) {
    if (variant.as_promised != Verdict::inconclusive) continue;
    text += (text.empty() ? "" : "; ") + doubts_about(variant);
  }
  return text.empty() ? "nothing was tested" : text;
}

std::string tally(const RunResult& result) {
  std::size_t holding = 0, broken = 0;
  for (const auto& variant : result.variants) {
    holding += variant.verdict == Verdict::holds;
    broken += variant.as_promised == Verdict::holds && is_to_break(variant);
  }
  std::string text =
      fmt::format("{} {} every check", holding, holding == 1 ? "variant holds" : "variants hold");
  if (broken > 0)
    text += fmt::format(", {} broke what {} had to break", broken, broken == 1 ? "it" : "they");
  return text;
}

Style style_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return Style::good;
    case Verdict::violated:
      return Style::bad;
    case Verdict::inconclusive:
      return Style::warning;
  }
  return Style::normal;
}

/// A line of the explanation that is only a place, "scenarios/x/y.h:41", gets an arrow.
std::string with_arrows(const std::string& text) {
  std::string out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    const bool place =
        !line.empty() && line.find(' ') == std::string::npos && line.find('/') != std::string::npos;
    out += (begin == 0 ? "" : "\n") + std::string(place ? "→ " : "") + line;
    begin = end + 1;
  }
  return out;
}

void add_conclusion(const RunResult& result, Page& page) {
  const std::string sentence = verdict_sentence(result);
  page.hanging(padded("Verdict", kLabelWidth), sentence, style_of(result.verdict));
  if (result.interrupted) page.labelled("", "interrupted: what was measured until then is kept");
  if (!result.why_lost.empty()) page.labelled("Why", with_arrows(result.why_lost));
  if (!result.folder.empty()) {
    page.labelled("Saved",
                  result.folder + "/  (result.json, events.ndjson, timeseries.csv, hist/)");
  }
  if (!result.next.empty()) page.labelled("Next", result.next);
}

}  // namespace

std::string verdict_sentence(const RunResult& result) {
  switch (result.verdict) {
    case Verdict::holds:
      return fmt::format("{} all as promised: {}", kHolds, tally(result));
    case Verdict::violated:
      return fmt::format("{} a promise is broken: {}", kViolated, accusations(result));
    case Verdict::inconclusive:
      break;
  }
  return fmt::format("{} inconclusive: {}", kUnclear, doubts(result));
}

std::string report_text(const RunResult& result, std::size_t columns, bool colour) {
  Page page(columns, colour);
  add_correctness(result, page);
  add_speed(result, page);
  add_conclusion(result, page);
  return page.take();
}

// ---- plain -----------------------------------------------------------------------------------

namespace {

/// A field of a tab-separated table: no tab and no line break in it.
std::string field(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::string plain_checks(const RunResult& result) {
  std::string out = "variant\tpromise\tas_promised\tranked\tcheck\tverdict\twitness\n";
  for (const auto& variant : result.variants) {
    for (const auto& [check, found] : variant.checks) {
      out +=
          fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\n", field(variant.name), field(variant.promise),
                      outcome_word(variant), variant.ranked ? "yes" : "no", field(check),
                      name(found.verdict), field(found.witness));
    }
  }
  return out;
}

std::string plain_metrics(const RunResult& result) {
  std::string out = "variant\tranked\tmetric\tunit\tmedian\tlow\thigh\tn\n";
  for (const auto& variant : result.variants) {
    for (const auto& metric : variant.metrics) {
      if (metric.samples.empty()) continue;
      const Summary s = metric.summary();
      out += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", field(variant.name),
                         variant.ranked ? "yes" : "no", field(metric.name), field(metric.unit),
                         s.median, s.low, s.high, s.n);
    }
  }
  return out;
}

std::string plain_ratios(const RunResult& result) {
  std::string out = "metric\ta\tb\tratio\tlow\thigh\tn\tanswer\n";
  const auto add = [&out](const std::string& metric, const std::string& a, const std::string& b,
                          const Ratio& r) {
    const auto answer = r.answer();
    out += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", field(metric), field(a), field(b),
                       r.value, r.low, r.high, r.n,
                       answer == Ratio::Answer::larger    ? "larger"
                       : answer == Ratio::Answer::smaller ? "smaller"
                                                          : "can't tell");
  };
  for (const auto& [metric, a, b, ratio] : result.comparisons) add(metric, a, b, ratio);
  for (const auto& limit : result.limits) add(limit.metric, limit.best, limit.name, limit.ratio);
  return out;
}

}  // namespace

std::string report_plain(const RunResult& result) {
  std::string out = plain_checks(result) + '\n' + plain_metrics(result) + '\n';
  out += plain_ratios(result) + '\n';
  for (const auto& note : result.notes) out += "note\t" + field(note) + '\n';
  out += fmt::format("verdict\t{}\t{}\n", name(result.verdict), field(verdict_sentence(result)));
  if (!result.folder.empty()) out += "folder\t" + field(result.folder) + '\n';
  return out;
}

}  // namespace lab::harness
