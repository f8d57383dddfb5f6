#include "listening.h"

#include <fmt/format.h>

#include <algorithm>

namespace pubsub_fanout {

using lab::harness::Outcome;

Sayings::Sayings(const Evidence& evidence) {
  for (const auto& saying : evidence.sayings)
    by_speaker_[{saying.room, saying.speaker}].push_back(&saying);
  for (auto& [key, sayings] : by_speaker_) {
    std::sort(sayings.begin(), sayings.end(),
              [](const auto* a, const auto* b) { return a->number < b->number; });
  }
}

const Saying* Sayings::find(const Heard& heard) const {
  const auto& sayings = of(heard.room, heard.speaker);
  const auto found =
      std::lower_bound(sayings.begin(), sayings.end(), heard.number,
                       [](const Saying* saying, auto number) { return saying->number < number; });
  return found != sayings.end() && (*found)->number == heard.number ? *found : nullptr;
}

const std::vector<const Saying*>& Sayings::of(std::uint32_t room, std::uint32_t speaker) const {
  static const std::vector<const Saying*> none;
  const auto found = by_speaker_.find({room, speaker});
  return found == by_speaker_.end() ? none : found->second;
}

std::vector<std::uint32_t> Sayings::speakers(std::uint32_t room) const {
  std::vector<std::uint32_t> speakers;
  for (const auto& [key, sayings] : by_speaker_) {
    if (key.first == room) speakers.push_back(key.second);
  }
  return speakers;
}

std::vector<Connection> connections_of(const Reader& reader) {
  std::vector<Connection> connections;
  bool open = false;
  for (std::size_t i = 0; i < reader.heard.size(); ++i) {
    const auto& heard = reader.heard[i];
    if (heard.kind == Heard::Kind::joined && !open) {
      connections.push_back({.first = i, .last = i + 1, .joined = heard.at, .ended = heard.at});
      open = true;
    }
    if (!open) continue;
    connections.back().last = i + 1;
    connections.back().ended = heard.at;
    if (heard.kind == Heard::Kind::lost || heard.kind == Heard::Kind::left) open = false;
    connections.back().to_the_end = heard.kind == Heard::Kind::left;
  }
  return connections;
}

Connection whole(const Reader& reader) {
  const auto connections = connections_of(reader);
  if (connections.empty()) return {};
  return {connections.front().first, reader.heard.size(), connections.front().joined,
          connections.back().ended, connections.back().to_the_end};
}

Listening::Listening(const Sayings& sayings, const Reader& reader, const Connection& part)
    : sayings_(sayings), reader_(reader), part_(part) {
  for (std::size_t i = part.first; i < part.last; ++i) {
    const auto& heard = reader.heard[i];
    if (heard.kind == Heard::Kind::message) hear(heard);
    if (heard.kind == Heard::Kind::gap) gaps_.push_back(&heard);
  }
}

void Listening::hear(const Heard& heard) {
  ++deliveries_;
  auto& numbers = heard_[heard.speaker];
  if (numbers.size() <= heard.number) numbers.resize(heard.number + 1);
  const bool again = numbers[heard.number];
  numbers[heard.number] = true;
  const Saying* said = sayings_.find(heard);
  const bool any_time = said && said->outcome == Outcome::info;  // a node may still have had it
  auto [highest, first] = highest_.emplace(heard.speaker, any_time ? 0 : heard.number);
  const bool late = !first && !again && !any_time && heard.number < highest->second;
  if (!any_time) highest->second = std::max(highest->second, heard.number);
  duplicates_ += again;
  reorderings_ += late;
  if (!again && !late) return;
  const std::string what =
      fmt::format("{} heard message {}/{} of room {} at {:.1f} ms {}", reader_.user, heard.speaker,
                  heard.number, heard.room, lab::milliseconds(heard.at),
                  again ? "for the second time" : "after a later one of the same speaker");
  if (disorder_.empty()) disorder_ = what;
  if (again && repeated_.empty()) repeated_ = what;
}

/// A gap with numbers excuses what stands in it; one without, all that was said before it was told.
bool Listening::told_of(const Saying& saying) const {
  return std::any_of(gaps_.begin(), gaps_.end(), [&](const Heard* gap) {
    const bool some = gap->place == 0;
    const bool holds = gap->place <= saying.place && saying.place <= gap->last;
    return saying.said <= gap->at && (some || holds);
  });
}

std::vector<const Saying*> Listening::silently_missing() const {
  std::vector<const Saying*> missing;
  for (const auto speaker : sayings_.speakers(reader_.room)) {
    const auto numbers = heard_.find(speaker);
    const auto highest = highest_.find(speaker);
    for (const auto* saying : sayings_.of(reader_.room, speaker)) {
      if (saying->outcome != Outcome::ok || saying->said < part_.joined) continue;
      const bool due =
          part_.to_the_end || (highest != highest_.end() && saying->number < highest->second);
      const bool heard = numbers != heard_.end() && saying->number < numbers->second.size() &&
                         numbers->second[saying->number];
      if (due && !heard && !told_of(*saying)) missing.push_back(saying);
    }
  }
  return missing;
}

}  // namespace pubsub_fanout
