#include "harness/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/text.h"
#include "harness/table.h"

namespace lab::harness {
namespace {

constexpr std::string_view kHolds = "✓", kViolated = "✗", kUnclear = "?", kNothing = "–";
constexpr std::size_t kLabelWidth = 9;  // "Verdict  "

// ---- numbers ---------------------------------------------------------------------------------

/// Three digits that matter, but at most four decimals.
int decimals_for(const Summary& summary) {
  const double size = std::max(std::abs(summary.median), (summary.high - summary.low) / 2);
  if (size == 0) return 0;
  return std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 4);
}

std::string number(double value, int decimals) {
  if (decimals == 0) return with_thousands(std::llround(value));
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  const bool vanished = value != 0 && text.find_first_of("123456789") == std::string::npos;
  return vanished ? fmt::format("<{:.{}f}", std::pow(10, -decimals), decimals) : text;
}

/// `whole`: the quantity is counted, not measured.
std::string with_spread(const Summary& summary, bool whole) {
  const int decimals = whole ? 0 : decimals_for(summary);
  const std::string median = number(summary.median, decimals);
  if (summary.n < 2) return median;
  const double spread = (summary.high - summary.low) / 2;
  return median + " ±" + (spread == 0 ? "0" : number(spread, decimals));
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

/// What it cost to hold, where a scenario tells that, stands beside the mark.
Cell mark(const VariantResult& variant, const std::string& check) {
  const CheckResult* result = find_check(variant, check);
  if (!result) return {std::string(kNothing), Style::faint};
  switch (result->verdict) {
    case Verdict::holds:
      return {std::string(kHolds) + (result->witness.empty() ? "" : " " + result->witness),
              Style::good};
    case Verdict::inconclusive: return {std::string(kUnclear), Style::warning};
    case Verdict::violated: break;
  }
  return {std::string(kViolated), is_accused(variant, check) ? Style::bad : Style::warning};
}

/// The answer to "as promised?". A variant that was to break and broke has kept its promise.
Cell outcome(const VariantResult& variant) {
  if (variant.checks.empty()) return {"not run", Style::faint};
  switch (variant.as_promised) {
    case Verdict::violated: return {"NO, broken", Style::bad};
    case Verdict::inconclusive:
      return {variant.verdict == Verdict::holds ? "no, it held" : "can't tell", Style::warning};
    case Verdict::holds: break;
  }
  if (is_to_break(variant)) return {"yes, broken", Style::good};
  return {variant.verdict == Verdict::holds ? "yes, holds" : "yes", Style::good};
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
  /// "    who: what …", with the further lines a little to the right.
  void paragraph(std::string_view who, std::string_view what, Style style) {
    constexpr std::size_t kFirst = 4, kFurther = 6;
    std::size_t indent = kFirst;
    for (std::string piece : wrapped(fmt::format("{}: {}", who, what), columns_ - kFurther)) {
      if (piece.starts_with(who)) piece.replace(0, who.size(), styled(who, style, colour_));
      line(std::string(indent, ' ') + piece);
      indent = kFurther;
    }
  }
  void labelled(std::string_view label, std::string_view text) {
    hanging(padded(label, kLabelWidth), text, Style::heading);
  }
  std::string take() { return std::move(out_); }

 private:
  std::size_t columns_;
  bool colour_;
  std::string out_;
};

// ---- did it stay correct? --------------------------------------------------------------------

bool tells_costs(const RunResult& result) {
  for (const auto& variant : result.variants) {
    for (const auto& [check, found] : variant.checks) {
      if (found.verdict == Verdict::holds && !found.witness.empty()) return true;
    }
  }
  return false;
}

/// A row for each check: there are many, and their cells say more than yes and no.
Table matrix(const RunResult& result) {
  Table table;
  table.add_column("");
  for (const auto& variant : result.variants) table.add_column(variant.name);
  for (const auto& [check, claim] : result.checks) {
    std::vector<Cell> row{{check}};
    for (const auto& variant : result.variants) row.push_back(mark(variant, check));
    table.add_row(std::move(row));
  }
  std::vector<Cell> outcomes{{"as promised?"}};
  for (const auto& variant : result.variants) outcomes.push_back(outcome(variant));
  table.add_row(std::move(outcomes));
  return table;
}

Table verdict_table(const RunResult& result) {
  if (tells_costs(result)) return matrix(result);
  Table table;
  table.add_column("");
  for (const auto& [check, claim] : result.checks) table.add_column(check);
  table.add_column("as promised?");
  for (const auto& variant : result.variants) {
    std::vector<Cell> row{{variant.name}};
    for (const auto& [check, claim] : result.checks) row.push_back(mark(variant, check));
    row.push_back(outcome(variant));
    table.add_row(std::move(row));
  }
  return table;
}

const Guard* failed_guard(const VariantResult& variant) {
  for (const auto& guard : variant.guards) {
    if (!guard.satisfied) return &guard;
  }
  return nullptr;
}

struct Witness {
  std::string who;
  std::string what;
  Style style;
};

/// One witness for each check is enough to believe it; an accusation and a doubt are always shown.
std::vector<Witness> witnesses(const RunResult& result, const std::string& check) {
  std::vector<Witness> found;
  bool believed = false;
  for (const auto& variant : result.variants) {
    const CheckResult* answer = find_check(variant, check);
    if (!answer || answer->verdict == Verdict::holds) continue;
    if (answer->verdict == Verdict::inconclusive) {
      const Guard* guard = failed_guard(variant);
      // What a guard made of it is told once for the variant, not for each check.
      const bool told = guard && answer->witness.find(guard->name) != std::string::npos;
      if (!told) found.push_back({"? " + variant.name, answer->witness, Style::warning});
    } else if (is_accused(variant, check)) {
      found.push_back({"✗ " + variant.name + ", NOT as promised", answer->witness, Style::bad});
    } else if (!std::exchange(believed, true)) {
      const bool promised = is_to_break(variant, check);
      found.push_back({"✗ " + variant.name + (promised ? ", as promised" : ""), answer->witness,
                       Style::warning});
    }
  }
  return found;
}

void add_claims(const RunResult& result, Page& page) {
  std::size_t widest = 0;
  for (const auto& [check, claim] : result.checks) widest = std::max(widest, display_width(check));
  for (const auto& [check, claim] : result.checks) {
    page.hanging("  " + padded(check, widest + 2), claim, Style::heading);
    for (const auto& [who, what, style] : witnesses(result, check)) {
      page.paragraph(who, what, style);
    }
  }
}

void add_guards(const RunResult& result, Page& page) {
  for (const auto& variant : result.variants) {
    const Guard* guard = failed_guard(variant);
    if (!guard) continue;
    page.paragraph("? " + variant.name,
                   fmt::format("not enough was tested: {}: {}", guard->name, guard->detail),
                   Style::warning);
  }
}

void add_correctness(const RunResult& result, Page& page) {
  if (result.checks.empty() || result.variants.empty()) return;
  page.line("Did it stay correct?", Style::heading);
  page.add(verdict_table(result));
  page.line(tells_costs(result)
                ? "  ✓ holds, and what it cost   ✗ broken   ? can't tell   – does not apply"
                : "  ✓ holds   ✗ broken   ? can't tell   – does not apply",
            Style::faint);
  page.line();
  add_claims(result, page);
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
  std::vector<std::string> timed;  // from the timed rounds
  std::vector<std::string> once;   // from the fault run
  std::size_t rounds = 0;
};

void add_name(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

MetricNames metric_names(const RunResult& result) {
  MetricNames names;
  for (const auto& variant : result.variants) {
    for (const auto& metric : variant.metrics) {
      const std::size_t samples = metric.samples.size();
      if (samples == 0) continue;
      const bool timed = metric.timed || samples > 1;
      add_name(timed ? names.timed : names.once, metric.name);
      if (timed) names.rounds = std::max(names.rounds, samples);
    }
  }
  return names;
}

/// Counted things have no decimals, in no variant.
bool is_whole(const RunResult& result, const std::string& name) {
  for (const auto& variant : result.variants) {
    const Metric* metric = find_metric(variant, name);
    if (!metric) continue;
    for (const double sample : metric->samples) {
      if (sample != std::floor(sample)) return false;
    }
  }
  return true;
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

/// Speeds of variants without a rank are struck out; what a fault did to them is evidence and
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
      row.push_back(metric ? Cell{with_spread(metric->summary(), is_whole(result, name)),
                                  unranked ? Style::struck : Style::normal}
                           : Cell{std::string(kNothing), Style::faint});
    }
    table.add_row(std::move(row));
  }
  return table;
}

/// Why some have a star; empty when none has.
std::string footnote(const RunResult& result) {
  bool any = false, all_break = true;
  for (const auto& variant : result.variants) {
    if (variant.ranked || variant.metrics.empty()) continue;
    any = true;
    all_break = all_break && variant.verdict == Verdict::violated;
  }
  if (!any) return {};
  return all_break ? "not ranked: breaks a check, so its speed does not count"
                   : "not ranked: a check or a timed answer is wrong or open, so its speed does "
                     "not count";
}

void add_limits(const RunResult& result, Page& page) {
  for (const auto& limit : result.limits) {
    if (limit.samples.empty()) continue;
    std::string text = fmt::format("{}: {} {}", limit.name,
                                   with_spread(summarize(limit.samples), false), limit.unit);
    if (!limit.best.empty() && limit.ratio.n > 0) {
      text += fmt::format("; {} reaches {}", limit.best, ratio_text(limit.ratio));
    }
    page.hanging(limit.comparison ? "  for comparison  " : "  limit  ", text, Style::faint);
  }
}

std::string in_doubt(const Ratio& ratio) {
  if (ratio.answer() != Ratio::Answer::cannot_tell) return {};
  return ratio.n < Ratio::kFewestRounds ? "can't tell, too few rounds" : "can't tell";
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
                   {in_doubt(ratio), Style::warning}});
  }
  page.add(table);
  page.line();
}

void add_fault_run(const RunResult& result, const MetricNames& names, Page& page) {
  if (names.once.empty()) return;
  page.line(result.fault.empty() ? "In the fault run" : "In the fault run  (" + result.fault + ")",
            Style::heading);
  page.add(metric_table(result, names.once, false));
  page.line();
}

void add_speed(const RunResult& result, const MetricNames& names, Page& page) {
  if (names.timed.empty()) return;
  page.line(names.rounds == 1
                ? "How fast?  (a single round)"
                : fmt::format("How fast?  (median ± spread of {} rounds)", names.rounds),
            Style::heading);
  page.add(metric_table(result, names.timed, true));
  if (const auto note = footnote(result); !note.empty()) page.hanging("  * ", note);
  add_limits(result, page);
  page.line();
  add_comparisons(result, page);
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
  if (variant.checks.empty()) return variant.name + " was not run";
  if (const Guard* guard = failed_guard(variant)) {
    return fmt::format("{}: not enough was tested ({}: {})", variant.name, guard->name,
                       guard->detail);
  }
  std::string unbroken, unclear;
  for (const auto& [check, found] : variant.checks) {
    const bool held = is_to_break(variant, check) && found.verdict == Verdict::holds;
    if (held) unbroken += (unbroken.empty() ? " did not break " : ", ") + check;
    if (found.verdict != Verdict::inconclusive) continue;
    unclear += (unclear.empty() ? " can't tell " : ", ") + check;
  }
  if (unbroken.empty() && unclear.empty()) return variant.name + ": a check was not judged";
  return variant.name + unbroken + (unbroken.empty() || unclear.empty() ? "" : ",") + unclear;
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

/// "single_flight, by reads per second; not told apart from lease". Empty without comparisons.
std::string fastest(const RunResult& result) {
  if (result.comparisons.empty()) return {};
  const auto& [metric, best, other, first] = result.comparisons.front();
  std::string equals;
  for (const auto& comparison : result.comparisons) {
    if (comparison.a != best || comparison.metric != metric) return {};
    if (comparison.ratio.answer() != Ratio::Answer::cannot_tell) continue;
    equals += (equals.empty() ? "; can't be told apart from " : ", ") + comparison.b;
  }
  return fmt::format("{}, by {}{}", best, spaced(metric), equals);
}

Style style_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds: return Style::good;
    case Verdict::violated: return Style::bad;
    case Verdict::inconclusive: return Style::warning;
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
  if (const auto best = fastest(result); !best.empty()) page.labelled("Fastest", best);
  if (!result.why_lost.empty()) page.labelled("Why", with_arrows(result.why_lost));
  if (!result.folder.empty()) {
    page.labelled("Saved", result.folder + "/ (result.json, hist/, …)");
  }
  if (!result.next.empty()) page.labelled("Next", result.next);
}

}  // namespace

std::string verdict_sentence(const RunResult& result) {
  switch (result.verdict) {
    case Verdict::holds: return fmt::format("{} all as promised: {}", kHolds, tally(result));
    case Verdict::violated:
      return fmt::format("{} a promise is broken: {}", kViolated, accusations(result));
    case Verdict::inconclusive: break;
  }
  return fmt::format("{} inconclusive: {}", kUnclear, doubts(result));
}

std::string report_text(const RunResult& result, std::size_t columns, bool colour) {
  Page page(columns, colour);
  const MetricNames names = metric_names(result);
  add_correctness(result, page);
  add_fault_run(result, names, page);
  add_speed(result, names, page);
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
