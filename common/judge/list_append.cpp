#include "judge/list_append.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"
#include "judge/list_cycles.h"
#include "judge/list_index.h"

namespace lab::judge {
namespace {

/// The weakest level that forbids each anomaly. What is not here (lost-append) says so itself.
const std::map<std::string_view, Level>& forbidden_from() {
  static const std::map<std::string_view, Level> from{
      {"duplicate-element", Level::read_uncommitted},
      {"garbage-read", Level::read_uncommitted},
      {"G0", Level::read_uncommitted},
      {"dirty-update", Level::read_committed},
      {"incompatible-order", Level::read_committed},
      {"G1a", Level::read_committed},
      {"G1b", Level::read_committed},
      {"G1c", Level::read_committed},
      {"internal", Level::snapshot_isolation},
      {"lost-append", Level::snapshot_isolation},
      {"lost-update", Level::snapshot_isolation},
      {"G-single", Level::snapshot_isolation},
      {"G-nonadjacent", Level::snapshot_isolation},
      {"G2-item", Level::repeatable_read},
  };
  return from;
}

bool forbids(Level level, std::string_view anomaly) {
  for (const std::string_view suffix : {"-process", "-realtime"}) {
    if (anomaly.ends_with(suffix)) anomaly.remove_suffix(suffix.size());
  }
  return level >= forbidden_from().at(anomaly);
}

/// Two that read the same list and both appended to it: one of them did not know of the other.
void find_lost_updates(const ListIndex& index, Findings& findings) {
  using Version = std::pair<std::uint32_t, std::optional<Element>>;  // key, last element
  std::map<Version, Place> updated;
  for (Place place = 0; place < index.history().size(); ++place) {
    if (!index.committed(place)) continue;
    std::map<std::uint32_t, std::optional<Element>> read;  // before an append of its own
    std::set<std::uint32_t> appended;
    const auto& operations = index.history()[place].operations;
    for (std::size_t at = 0; at < operations.size(); ++at) {
      const std::uint32_t key = index.keys_of(place)[at];
      const auto& list = operations[at].list;
      if (operations[at].kind == ListOperation::Kind::read) {
        if (list && !appended.contains(key))
          read.try_emplace(key, list->empty() ? std::nullopt : std::optional(list->back()));
        continue;
      }
      const auto seen = read.find(key);
      if (!appended.insert(key).second || seen == read.end()) continue;
      const auto [first, fresh] = updated.try_emplace({key, seen->second}, place);
      if (fresh) continue;
      findings.add("lost-update",
                   fmt::format("{} and {} both read {} {} and appended to it\n{}\n{}",
                               ListIndex::label(first->second), ListIndex::label(place),
                               index.keys()[key].name,
                               seen->second ? fmt::format("up to {}", *seen->second) : "empty",
                               index.line(first->second), index.line(place)),
                   {first->second, place});
    }
  }
}

/// Acknowledged before a read began that does not show it, and no read ever does.
void find_lost_appends(const ListIndex& index, Findings& findings) {
  const auto history = index.history();
  for (const auto& key : index.keys()) {
    const auto latest =
        std::max_element(key.reads.begin(), key.reads.end(), [&](const ReadAt& a, const ReadAt& b) {
          return history[a.transaction].invoked < history[b.transaction].invoked;
        });
    if (latest == key.reads.end()) continue;
    for (const Element element : key.unread) {
      const Place place = key.appends.at(element).transaction;
      const Transaction& appender = history[place];
      if (appender.outcome != Outcome::ok || !appender.returned ||
          *appender.returned >= history[latest->transaction].invoked) {
        continue;
      }
      findings.add(
          "lost-append",
          fmt::format("{} appended {} to {} and was told so; {} began later and does not see it, "
                      "nor does any other\n{}\n{}",
                      ListIndex::label(place), element, key.name,
                      ListIndex::label(latest->transaction), index.line(place),
                      index.line(latest->transaction)),
          {place, latest->transaction});
    }
  }
}

}  // namespace

std::string_view name(Level level) {
  switch (level) {
    case Level::read_uncommitted: return "read-uncommitted";
    case Level::read_committed: return "read-committed";
    case Level::snapshot_isolation: return "snapshot-isolation";
    case Level::repeatable_read: return "repeatable-read";
    case Level::serializable: return "serializable";
    case Level::strict_serializable: return "strict-serializable";
  }
  return "";
}

const std::vector<Level>& all_levels() {
  static const std::vector<Level> all{Level::read_uncommitted,   Level::read_committed,
                                      Level::snapshot_isolation, Level::repeatable_read,
                                      Level::serializable,       Level::strict_serializable};
  return all;
}

Result<Level> level_named(std::string_view typed) {
  std::vector<std::string> names;
  for (const Level level : all_levels()) {
    if (name(level) == typed) return level;
    names.emplace_back(name(level));
  }
  const std::string near = nearest(typed, names);
  return Error{ErrorCode::invalid, Happened::no,
               fmt::format("there is no level {}; {}", typed,
                           near.empty() ? fmt::format("there are: {}", fmt::join(names, ", "))
                                        : "did you mean " + near + "?")};
}

Result<Judgement> check_list_append(std::span<const Transaction> history,
                                    const ListAppendOptions& options) {
  const Instant deadline = now() + options.timeout;
  auto index = ListIndex::of(history);
  if (!index) return index.error();
  const bool strict = options.level == Level::strict_serializable;
  const bool real_time = strict || options.real_time_order;
  Findings findings;
  index->examine(findings);
  find_lost_updates(*index, findings);
  if (real_time) find_lost_appends(*index, findings);
  const bool complete =
      find_cycles(*index, {strict || options.process_order, real_time}, deadline, findings);

  Judgement judgement;
  judgement.findings = std::move(findings.all());
  for (Place place = 0; place < history.size(); ++place)
    judgement.examined += index->committed(place);
  for (auto& finding : judgement.findings)
    finding.violates = forbids(options.level, finding.anomaly);
  std::stable_partition(judgement.findings.begin(), judgement.findings.end(),
                        [](const Finding& finding) { return finding.violates; });
  const bool violated = !judgement.findings.empty() && judgement.findings.front().violates;
  if (judgement.examined == 0) judgement.why = "no transaction is known to have committed";
  if (!complete) judgement.why = "the time was up before every cycle was looked for";
  judgement.verdict = violated                ? Verdict::violated
                      : judgement.why.empty() ? Verdict::holds
                                              : Verdict::unknown;
  if (violated) judgement.why.clear();
  return judgement;
}

}  // namespace lab::judge
