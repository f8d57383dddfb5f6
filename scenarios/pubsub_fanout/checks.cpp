#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "listening.h"

namespace pubsub_fanout {
namespace {

using lab::milliseconds;
using lab::harness::Check;
using lab::harness::CheckResult;
using lab::harness::Outcome;
using lab::harness::Verdict;
using lab::harness::Window;
using Answer = std::optional<CheckResult>;

std::string at(Nanos time) {
  return fmt::format("{:.1f} ms", milliseconds(time));
}

std::string told(const Saying& saying) {
  return fmt::format("message {}/{} of room {}, said at {} and acknowledged at {}", saying.speaker,
                     saying.number, saying.room, at(saying.said), at(saying.answered));
}

/// On one connection, from joining to its end: nothing missing, nothing twice, in the order of each speaker.
Answer contiguous(const Evidence& evidence) {
  const Sayings sayings(evidence);
  std::uint64_t examined = 0, holes = 0;
  std::string witness;
  for (const auto& reader : evidence.readers) {
    for (const auto& connection : connections_of(reader)) {
      const Listening listening(sayings, reader, connection);
      examined += listening.deliveries();
      if (!listening.disorder().empty())
        return CheckResult::violated(listening.disorder(), examined);
      const auto missing = listening.silently_missing();
      holes += missing.size();
      if (!missing.empty() && witness.empty())
        witness = fmt::format("{} joined at {} and never heard {}", reader.user,
                              at(connection.joined), told(*missing.front()));
    }
  }
  if (holes > 0)
    return CheckResult::violated(
        fmt::format("{} ({} such holes in {} deliveries)", witness, holes, examined), examined);
  if (!evidence.quiet) return CheckResult::inconclusive("the rooms were not quiet at the end");
  if (examined == 0) return CheckResult::inconclusive("nothing was heard");
  return CheckResult::holds(examined);
}

using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // room, speaker, number

/// Two readers never hear two messages in different orders. Each hears a sequence; all of them fit one order if and only
/// if the relation "heard right before" has no cycle (Kahn 1962).
Answer one_order(const Evidence& evidence) {
  std::map<Key, std::uint32_t> ids;
  std::vector<Key> keys;
  std::vector<std::set<std::uint32_t>> after;
  std::uint64_t examined = 0;
  for (const auto& reader : evidence.readers) {
    std::optional<std::uint32_t> previous;
    std::set<std::uint32_t> seen;  // of a message that came twice, the first counts here
    for (const auto& heard : reader.heard) {
      if (heard.kind != Heard::Kind::message) continue;
      const Key key{heard.room, heard.speaker, heard.number};
      const auto [found, added] = ids.emplace(key, static_cast<std::uint32_t>(ids.size()));
      if (added) {
        keys.push_back(key);
        after.emplace_back();
      }
      if (!seen.insert(found->second).second) continue;
      if (previous) after[*previous].insert(found->second);
      previous = found->second;
      ++examined;
    }
  }
  std::vector<std::size_t> waits(keys.size());
  for (const auto& followers : after) {
    for (const auto follower : followers) ++waits[follower];
  }
  std::vector<std::uint32_t> ready;
  for (std::uint32_t i = 0; i < waits.size(); ++i) {
    if (waits[i] == 0) ready.push_back(i);
  }
  std::size_t done = 0;
  for (; !ready.empty(); ++done) {
    const auto next = ready.back();
    ready.pop_back();
    for (const auto follower : after[next]) {
      if (--waits[follower] == 0) ready.push_back(follower);
    }
  }
  if (examined == 0) return CheckResult::inconclusive("nothing was heard");
  if (done == keys.size()) return CheckResult::holds(examined);
  const auto stuck = std::find_if(waits.begin(), waits.end(), [](auto count) { return count > 0; });
  const auto& [room, speaker, number] = keys[static_cast<std::size_t>(stuck - waits.begin())];
  return CheckResult::violated(
      fmt::format("there is no one order of what was heard: {} messages precede each other, one of "
                  "them {}/{} of room {}",
                  keys.size() - done, speaker, number, room),
      examined);
}

/// Over all of a reader's connections: who came back has everything, or was told what not.
Answer resume(const Evidence& evidence) {
  const Sayings sayings(evidence);
  std::uint64_t examined = 0, holes = 0;
  std::string witness;
  for (const auto& reader : evidence.readers) {
    const auto connections = connections_of(reader);
    if (connections.size() < 2) continue;
    ++examined;
    const Listening listening(sayings, reader, whole(reader));
    if (!listening.repeated().empty()) return CheckResult::violated(listening.repeated(), examined);
    const auto missing = listening.silently_missing();
    holes += missing.size();
    if (!missing.empty() && witness.empty())
      witness = fmt::format(
          "{} lost its connection at {}, was back at {}, and was never told of {}", reader.user,
          at(connections[0].ended), at(connections[1].joined), told(*missing.front()));
  }
  if (holes > 0)
    return CheckResult::violated(fmt::format("{} ({} such messages)", witness, holes), examined);
  if (examined == 0 && !evidence.cuts) return std::nullopt;
  if (examined == 0) return CheckResult::inconclusive("nobody lost a connection and came back");
  if (!evidence.quiet) return CheckResult::inconclusive("the rooms were not quiet at the end");
  return CheckResult::holds(examined);
}

Answer rooms_apart(const Evidence& evidence) {
  const Sayings sayings(evidence);
  std::uint64_t examined = 0;
  for (const auto& reader : evidence.readers) {
    for (const auto& heard : reader.heard) {
      if (heard.kind != Heard::Kind::message) continue;
      ++examined;
      const Saying* said = sayings.find(heard);
      if (heard.room != reader.room)
        return CheckResult::violated(
            fmt::format("{} is in room {} and heard message {}/{} of room {} at {}", reader.user,
                        reader.room, heard.speaker, heard.number, heard.room, at(heard.at)),
            examined);
      if (!said || said->outcome == Outcome::fail)
        return CheckResult::violated(
            fmt::format("{} heard message {}/{} of room {} at {}, which {}", reader.user,
                        heard.speaker, heard.number, heard.room, at(heard.at),
                        said ? "was refused" : "nobody said"),
            examined);
    }
  }
  if (examined == 0) return CheckResult::inconclusive("nothing was heard");
  return CheckResult::holds(examined);
}

/// What was owed is at least twice the bound: a node that keeps everything can't pass.
Answer bounded_memory(const Evidence& evidence) {
  if (evidence.memory.empty()) return std::nullopt;
  if (!evidence.kernel_numbers_count)
    return CheckResult::inconclusive("a sanitizer's memory is not the node's");
  std::uint64_t examined = 0;
  std::string cost;
  for (const auto& node : evidence.memory) {
    const std::uint64_t bound = memory_bound(evidence, node);
    const std::uint64_t grew =
        node.peak_bytes > node.before_bytes ? node.peak_bytes - node.before_bytes : 0;
    constexpr double kMiB = 1024.0 * 1024.0;
    if (grew > bound)
      return CheckResult::violated(
          fmt::format("node {} grew by {:.1f} MiB while readers were owed {:.1f} MiB that they did "
                      "not read; {} connections may cost {:.1f} MiB",
                      node.node, static_cast<double>(grew) / kMiB,
                      static_cast<double>(node.owed_bytes) / kMiB, node.connections,
                      static_cast<double>(bound) / kMiB),
          evidence.memory.size());
    if (node.owed_bytes < 2 * bound) continue;  // it would pass by keeping everything
    ++examined;
    cost = fmt::format("{:.1f} MiB", static_cast<double>(grew) / kMiB);
  }
  if (examined == 0)
    return CheckResult::inconclusive("no node had a reader that stalled and was owed enough");
  return CheckResult::holds(examined, cost);
}

bool disturbed(const Evidence& evidence, Nanos from, Nanos to) {
  return std::any_of(evidence.faults.begin(), evidence.faults.end(),
                     [&](const Window& fault) { return fault.begin <= to && from <= fault.end; });
}

/// What the machine itself was late in that time: its hiccups, and what the threads that everything passes waited for a core.
Nanos late(const Evidence& evidence, Nanos from, Nanos to) {
  return evidence.hiccup + waited_for_core(evidence, from, to);
}

/// A reader that gave its connection up while others did not read. It sent a ping each quarter of the silence that it bears. No fault
/// of these runs keeps a node from answering, but a machine may: that was late by the other three quarters. What it was late before
/// counts as well, from when the stall began: it leaves a backlog, which the ping is behind. A node that waits for a reader needs no core.
CheckResult gave_up(const Evidence& evidence, const Reader& reader, Nanos when) {
  const std::string what = fmt::format(
      "{} gave its connection up at {}: its node had not even answered a ping for {}, while others "
      "did not read",
      reader.user, at(when), at(evidence.silence));
  const Nanos lateness = late(evidence, evidence.stall.begin, when);
  if (lateness >= evidence.silence * 3 / 4)
    return CheckResult::inconclusive(what + "; the machine was late by " + at(lateness));
  if (!evidence.kernel_numbers_count)
    return CheckResult::inconclusive("a sanitizer's speed is not the node's: " + what);
  return CheckResult::violated(what, 1);
}

/// A node that waits for a reader who does not read, waits until it reads again. So whoever hears something half a stall
/// late or later was made to wait, and so was who heard nothing at all, not even an answer to its pings, and gave up.
/// What the machine itself was late counts for nobody.
Answer others_undisturbed(const Evidence& evidence) {
  if (evidence.stall.length() == Nanos{}) return std::nullopt;
  const Sayings sayings(evidence);
  std::uint64_t examined = 0;
  Nanos worst{};
  std::optional<CheckResult> open;  // about the first that cannot be told; another may be plain
  for (const auto& reader : evidence.readers) {
    if (reader.stalls) continue;
    for (const auto& connection : connections_of(reader)) {
      for (std::size_t i = connection.first; i < connection.last; ++i) {
        const auto& heard = reader.heard[i];
        if (heard.kind == Heard::Kind::lost && heard.silent &&
            evidence.stall.contains(heard.at - evidence.silence)) {
          const CheckResult result = gave_up(evidence, reader, heard.at);
          if (result.verdict == Verdict::violated) return result;
          if (!open) open = result;
        }
        const Saying* said = heard.kind == Heard::Kind::message ? sayings.find(heard) : nullptr;
        if (!said || said->said < connection.joined || !evidence.stall.contains(said->said) ||
            disturbed(evidence, said->said, heard.at))
          continue;
        ++examined;
        const Nanos took = heard.at - said->said;
        worst = std::max(worst, took);
        if (took <= evidence.stall.length() / 2 + late(evidence, said->said, heard.at)) continue;
        if (!evidence.kernel_numbers_count)
          return CheckResult::inconclusive("a sanitizer's speed is not the node's: " + at(took));
        return CheckResult::violated(
            fmt::format("{} heard {} only after {}; others do not read for {}, and half of that is "
                        "the bound",
                        reader.user, told(*said), at(took), at(evidence.stall.length())),
            examined);
      }
    }
  }
  if (open) return open;
  if (examined == 0) return CheckResult::inconclusive("nothing was said while readers stalled");
  return CheckResult::holds(examined, "worst " + at(worst));
}

Answer back_in_time(const Evidence& evidence) {
  std::uint64_t examined = 0;
  Nanos worst{};
  for (const auto& reader : evidence.readers) {
    if (reader.stalls) continue;  // it does not see its connection end while it does not read
    const auto connections = connections_of(reader);
    for (std::size_t i = 1; i < connections.size(); ++i) {
      const Nanos lost = connections[i - 1].ended, joined = connections[i].joined;
      const Nanos bound = return_bound(evidence, lost, joined);
      ++examined;
      worst = std::max(worst, joined - lost);
      if (joined - lost > bound)
        return CheckResult::violated(
            fmt::format("{} lost its connection at {} and was back after {}; its bound is {}",
                        reader.user, at(lost), at(joined - lost), at(bound)),
            examined);
    }
    const bool stranded = !connections.empty() && !connections.back().to_the_end;
    const auto had_time = [&](Nanos lost) {
      return evidence.end - lost > return_bound(evidence, lost, evidence.end);
    };
    if (stranded && !reader.goes_away && evidence.quiet && had_time(connections.back().ended))
      return CheckResult::violated(fmt::format("{} lost its connection at {} and never came back",
                                               reader.user, at(connections.back().ended)),
                                   examined);
  }
  if (examined == 0 && !evidence.cuts) return std::nullopt;
  if (examined == 0) return CheckResult::inconclusive("nobody lost a connection and came back");
  return CheckResult::holds(examined, "worst " + at(worst));
}

/// A node that died has its members in Redis for as long as its last lease, and everything else is known at once.
Answer presence_converges(const Evidence& evidence) {
  for (const auto& presence : evidence.presence) {
    if (presence.there == presence.told) continue;
    const Nanos after = presence.asked - evidence.quiet_since;
    const Nanos bound = presence_bound(evidence, presence.asked);
    if (after < bound)
      return CheckResult::inconclusive(
          fmt::format("node {} was wrong about room {} {} after all was quiet, and was not asked "
                      "again after {}",
                      presence.node, presence.room, at(after), at(bound)));
    std::vector<std::string> ghosts, unseen;
    std::set_difference(presence.told.begin(), presence.told.end(), presence.there.begin(),
                        presence.there.end(), std::back_inserter(ghosts));
    std::set_difference(presence.there.begin(), presence.there.end(), presence.told.begin(),
                        presence.told.end(), std::back_inserter(unseen));
    return CheckResult::violated(
        fmt::format("{} after all was quiet node {} says of room {}: {} who are gone{}, {} "
                    "missing who are there{}",
                    at(after), presence.node, presence.room, ghosts.size(),
                    ghosts.empty() ? "" : " (" + ghosts.front() + ")", unseen.size(),
                    unseen.empty() ? "" : " (" + unseen.front() + ")"),
        evidence.presence.size());
  }
  if (evidence.presence.empty()) return CheckResult::inconclusive("nobody was asked");
  return CheckResult::holds(evidence.presence.size());
}

}  // namespace

const std::vector<Check<Evidence>>& checks() {
  static const std::vector<Check<Evidence>> all{
      {"contiguous",
       "on a connection everything is heard that was said after joining, once and in order",
       contiguous},
      {"one-order", "all hear the messages of a room in one order", one_order},
      {"resume",
       "who lost a connection has missed nothing since, or was told what, and hears "
       "nothing twice",
       resume},
      {"rooms-apart", "nobody hears what was said in another room, was refused, or was never said",
       rooms_apart},
      {"bounded-memory", "readers that do not read cost a node no more than its limit for each",
       bounded_memory},
      {"others-undisturbed", "a reader that does not read makes nobody wait", others_undisturbed},
      {"back-in-time", "who loses a connection is back as soon as its tries allow", back_in_time},
      {"presence-converges", "when all is quiet, every node knows who is in a room",
       presence_converges},
  };
  return all;
}

Counts count(const Evidence& evidence) {
  const Sayings sayings(evidence);
  Counts counts;
  for (const auto& reader : evidence.readers) {
    const Listening listening(sayings, reader, whole(reader));
    counts.deliveries += listening.deliveries();
    counts.gaps_silent += listening.silently_missing().size();
    counts.duplicates += listening.duplicates();
    counts.reorderings += listening.reorderings();
    for (const auto& heard : reader.heard) counts.gaps_told += heard.kind == Heard::Kind::gap;
    const auto connections = connections_of(reader).size();
    counts.cuts_felt += connections > 0 ? connections - 1 : 0;
  }
  return counts;
}

/// It may notice late (silence). Then it tries one node after the other, each for join_limit at most; a node that lives and
/// has what it needs lets it in. For as long as something that it may need is away, nobody can.
Nanos return_bound(const Evidence& evidence, Nanos lost, Nanos joined) {
  Nanos away{};
  for (const auto& fault : evidence.faults)
    away += std::max(Nanos{}, std::min(joined, fault.end) - std::max(lost, fault.begin));
  const auto tries = static_cast<std::int64_t>(evidence.nodes) + 1;
  return away + evidence.silence + tries * (evidence.join_limit + evidence.try_again) +
         late(evidence, lost, joined);
}

Nanos presence_bound(const Evidence& evidence, Nanos asked) {
  return evidence.lease + late(evidence, evidence.quiet_since, asked);
}

Nanos waited_for_core(const Evidence& evidence, Nanos from, Nanos to) {
  const auto& known = evidence.core_waits;
  if (known.empty()) return {};
  const auto earlier = [](Nanos time, const CoreWait& wait) { return time < wait.at; };
  const auto later = [](const CoreWait& wait, Nanos time) { return wait.at < time; };
  const auto after = std::upper_bound(known.begin(), known.end(), from, earlier);
  const auto before_end = std::lower_bound(known.begin(), known.end(), to, later);
  const Nanos begin = after == known.begin() ? Nanos{} : std::prev(after)->in_all;
  const Nanos end = (before_end == known.end() ? std::prev(before_end) : before_end)->in_all;
  return end - begin;
}

/// kMostWaiting and one message for each connection, and what is on its way through the node: a bunch read from Redis at
/// once, which is there as bytes, as a reply and as frames, twice where a member is also brought up to the others. Where
/// there are many nodes, also kMostUnsent and one message: in a string that doubles, old and new beside each other.
std::uint64_t memory_bound(const Evidence& evidence, const NodeMemory& node) {
  constexpr std::uint64_t kBunch = 32, kForms = 3, kReaders = 2;
  return node.connections * (kMostWaiting + evidence.most_message_bytes) +
         kReaders * kForms * kBunch * evidence.most_message_bytes +
         (evidence.nodes > 1 ? 3 * (kMostUnsent + evidence.most_message_bytes) : 0);
}

}  // namespace pubsub_fanout
