#include "event_bus_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "checks.h"
#include "core/stop.h"
#include "crowd.h"
#include "speed.h"
#include "variants/event_bus.h"

namespace pubsub_fanout {

using namespace lab::harness;
using lab::Instant;
using lab::now;

TrialReport run_bus(const Setting& setting) {
  const Sizes& sizes = setting.sizes;
  const Instant zero = now();
  EventBus bus;
  Evidence evidence;
  evidence.readers.resize(sizes.rooms * sizes.readers);
  for (std::uint32_t i = 0; i < evidence.readers.size(); ++i) {
    Reader& reader = evidence.readers[i];
    reader.room = i % sizes.rooms;
    reader.user = fmt::format("reader-{}", i);
    reader.heard.push_back({.kind = Heard::Kind::joined, .at = now() - zero});
    bus.subscribe(name_of_room(reader.room), reader.user, [&reader, zero](std::string_view text) {
      const Stamp stamp = stamp_of(text).value_or(Stamp{~0u, ~0u, 0, 0});
      reader.heard.push_back({.kind = Heard::Kind::message,
                              .room = stamp.room,
                              .speaker = stamp.speaker,
                              .number = stamp.number,
                              .at = now() - zero});
    });
  }
  const std::uint32_t speakers = sizes.rooms * sizes.speakers;
  std::vector<std::vector<Saying>> sayings(speakers);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t speaker = 0; speaker < speakers; ++speaker) {
      threads.emplace_back([&, speaker] {
        const std::uint32_t room = speaker / sizes.speakers;
        const Instant end = zero + setting.plan.timing.load();
        std::uint32_t number = 0;
        for (Instant due = zero; due < end && lab::sleep_until(due); due += sizes.says_every) {
          Saying saying{.room = room,
                        .speaker = speaker,
                        .number = number++,
                        .said = now() - zero,
                        .answered = {}};
          const Stamp stamp{room, speaker, saying.number, now().time_since_epoch().count()};
          bus.publish(name_of_room(room), to_text(stamp, sizes.bytes));
          saying.answered = now() - zero;
          saying.outcome = Outcome::ok;
          sayings[speaker].push_back(saying);
        }
      });
    }
  }
  for (const auto& said : sayings)
    evidence.sayings.insert(evidence.sayings.end(), said.begin(), said.end());
  for (std::uint32_t room = 0; room < sizes.rooms; ++room) {
    Presence presence;
    presence.node = "bus";
    presence.room = room;
    presence.told = bus.who(name_of_room(room));
    for (const auto& reader : evidence.readers) {
      if (reader.room == room) presence.there.push_back(reader.user);
    }
    std::sort(presence.there.begin(), presence.there.end());
    std::sort(presence.told.begin(), presence.told.end());
    evidence.presence.push_back(std::move(presence));
  }
  for (auto& reader : evidence.readers)
    reader.heard.push_back({.kind = Heard::Kind::left, .at = now() - zero});
  evidence.quiet = true;
  evidence.cuts = false;
  TrialReport report;
  report.checks = judge_all(checks(), evidence);
  report.metrics.push_back(
      {"deliveries", "1", Better::neither, {static_cast<double>(count(evidence).deliveries)}});
  return report;
}

RoundReport bus_round(const Setting& setting) {
  const FanOut sizes = choose_fan_out(setting.plan);
  EventBus bus;
  std::uint64_t heard = 0;
  for (std::uint32_t i = 0; i < sizes.subscribers; ++i)
    bus.subscribe("speed", std::to_string(i),
                  [&heard](std::string_view text) { heard += stamp_of(text).has_value(); });
  const std::string text = to_text({}, sizes.bytes);
  const Instant begin = now();
  while (now() - begin < setting.plan.timing.round) bus.publish("speed", text);
  RoundReport report;
  report.metrics.push_back({"bus_deliveries_per_second",
                            "1/s",
                            Better::higher,
                            {static_cast<double>(heard) / lab::seconds(now() - begin)}});
  return report;
}

}  // namespace pubsub_fanout
