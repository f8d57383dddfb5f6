// The checks of pubsub_fanout on hand-written histories: each must hold, must break, must say that it cannot tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checks.h"
#include "core/random.h"
#include "wire.h"
#include "workload.h"

namespace pubsub_fanout {
namespace {

using lab::harness::CheckResult;
using lab::harness::Outcome;
using lab::harness::Verdict;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::optional<CheckResult> judge(const std::string& name, const Evidence& evidence) {
  for (const auto& check : checks()) {
    if (check.name == name) return check.judge(evidence);
  }
  ADD_FAILURE() << "no check " << name;
  return std::nullopt;
}

Verdict verdict(const std::string& name, const Evidence& evidence) {
  const auto result = judge(name, evidence);
  return result ? result->verdict : Verdict::inconclusive;
}

/// Speaker 7 says 0 to 9 in room 0, one each 10 ms from 100 ms on, each acknowledged a millisecond later, with its place.
Evidence ten_sayings() {
  Evidence evidence;
  for (std::uint32_t i = 0; i < 10; ++i) {
    const Nanos said = 100ms + i * 10ms;
    evidence.sayings.push_back({0, 7, i, said, said + 1ms, Outcome::ok, i + 1});
  }
  evidence.quiet = true;
  evidence.nodes = 2;
  evidence.silence = 400ms;
  evidence.join_limit = 400ms;
  evidence.try_again = 20ms;
  evidence.most_message_bytes = 1000;
  evidence.hiccup = 5ms;
  return evidence;
}

Heard joined(Nanos at, Position place = 0) {
  return {.kind = Heard::Kind::joined, .place = place, .at = at};
}
Heard message(std::uint32_t number, Nanos at, Position place = 0, std::uint32_t room = 0) {
  return {.kind = Heard::Kind::message,
          .room = room,
          .speaker = 7,
          .number = number,
          .place = place,
          .at = at};
}
Heard gap(Position first, Position last, Nanos at) {
  return {.kind = Heard::Kind::gap, .place = first, .last = last, .at = at};
}
Heard lost(Nanos at) {
  return {.kind = Heard::Kind::lost, .at = at};
}
Heard left() {
  return {.kind = Heard::Kind::left, .at = 1s};
}

/// Joined at 50 ms, hears these numbers 2 ms after they were said, stays to the end.
Reader hears(std::initializer_list<std::uint32_t> numbers) {
  Reader reader{.user = "ann", .room = 0, .heard = {joined(50ms)}};
  for (const auto number : numbers)
    reader.heard.push_back(message(number, 102ms + number * 10ms, number + 1));
  reader.heard.push_back(left());
  return reader;
}

const std::initializer_list<std::uint32_t> kAll{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(PubsubFanoutChecks, Contiguous) {
  Evidence evidence = ten_sayings();
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::inconclusive);
  evidence.readers = {hears(kAll)};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds);
  evidence.quiet = false;
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::inconclusive);
  evidence.quiet = true;

  evidence.readers = {hears({0, 1, 2, 4, 5, 6, 7, 8, 9})};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::violated);
  EXPECT_THAT(judge("contiguous", evidence)->witness, HasSubstr("message 7/3"));
  evidence.readers = {hears({0, 1, 2, 3, 4, 5, 6, 7, 8})};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::violated) << "the last one";
  evidence.readers = {hears({0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9})};
  EXPECT_THAT(judge("contiguous", evidence)->witness, HasSubstr("second time"));
  evidence.readers = {hears({0, 1, 3, 2, 4, 5, 6, 7, 8, 9})};
  EXPECT_THAT(judge("contiguous", evidence)->witness, HasSubstr("after a later one"));
}

TEST(PubsubFanoutChecks, ContiguousAsksOnlyForWhatWasDue) {
  Evidence evidence = ten_sayings();
  evidence.sayings[3].outcome = Outcome::info;  // may have been said
  evidence.readers = {hears({0, 1, 2, 4, 5, 6, 7, 8, 9}), hears(kAll)};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds);

  evidence.readers = {hears({0, 1, 2, 4, 5, 3, 6, 7, 8, 9})};  // and at any later time
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds);

  evidence = ten_sayings();
  Reader late = hears({3, 4, 5, 6, 7, 8, 9});  // joined when 2 was under way
  late.heard.front().at = 125ms;
  evidence.readers = {late};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds);

  Reader cut = hears({0, 1, 2});  // what comes after the last that it heard is another connection's
  cut.heard.back() = lost(300ms);
  evidence.readers = {cut, hears(kAll)};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds);

  Reader told = hears({0, 1, 2});
  told.heard.insert(told.heard.end() - 1,
                    {gap(4, 6, 170ms), message(6, 171ms, 7), message(7, 172ms, 8),
                     message(8, 182ms, 9), message(9, 192ms, 10)});
  evidence.readers = {told, hears(kAll)};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds) << "places 4 to 6 are numbers 3 to 5";
  told.heard[4] = gap(4, 5, 170ms);
  evidence.readers = {told, hears(kAll)};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::violated) << "a gap that is too short";
}

TEST(PubsubFanoutChecks, AGapExcusesNothingElse) {
  Evidence evidence = ten_sayings();
  const auto told = [](const Heard& gap) {  // nobody heard number 9, at place 10, said at 190 ms
    Reader reader = hears({0, 1, 2, 3, 4, 5, 6, 7, 8});
    reader.heard.insert(reader.heard.end() - 1, gap);
    return reader;
  };
  evidence.readers = {told(gap(10, 10, 195ms))};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds);
  evidence.readers = {told(gap(3, 4, 195ms))};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::violated) << "it stands somewhere else";
  evidence.readers = {told(gap(10, 10, 185ms))};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::violated) << "told before it was said";
  evidence.readers = {told(gap(0, 0, 195ms))};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::holds) << "some, and it was said before";
  evidence.readers = {told(gap(0, 0, 185ms))};
  EXPECT_EQ(verdict("contiguous", evidence), Verdict::violated);
}

TEST(PubsubFanoutChecks, OneOrder) {
  Evidence evidence = ten_sayings();
  EXPECT_EQ(verdict("one-order", evidence), Verdict::inconclusive);
  evidence.readers = {hears({0, 1, 2, 5}), hears({1, 2, 3, 4, 5}), hears(kAll)};
  EXPECT_EQ(verdict("one-order", evidence), Verdict::holds);
  evidence.readers.push_back(hears({2, 1}));
  EXPECT_EQ(verdict("one-order", evidence), Verdict::violated);
  // No two readers contradict each other, and still there is no order: 0 1, 1 2, 2 0.
  evidence.readers = {hears({0, 1}), hears({1, 2}), hears({2, 0})};
  EXPECT_EQ(verdict("one-order", evidence), Verdict::violated);
}

Reader cut_after_2_and_back(std::vector<Heard> then) {
  Reader reader = hears({0, 1, 2});
  reader.heard.back() = lost(125ms);
  reader.heard.insert(reader.heard.end(), then.begin(), then.end());
  reader.heard.push_back(left());
  return reader;
}

TEST(PubsubFanoutChecks, Resume) {
  Evidence evidence = ten_sayings();
  evidence.readers = {hears(kAll)};
  EXPECT_EQ(verdict("resume", evidence), Verdict::inconclusive);
  evidence.cuts = false;
  EXPECT_FALSE(judge("resume", evidence));
  evidence.cuts = true;

  std::vector<Heard> rest{joined(150ms, 3)};
  for (std::uint32_t i = 3; i < 10; ++i) rest.push_back(message(i, 200ms + i * 1ms, i + 1));
  evidence.readers = {cut_after_2_and_back(rest)};
  EXPECT_EQ(verdict("resume", evidence), Verdict::holds);

  std::vector<Heard> without(rest);
  without.erase(without.begin() + 1);
  evidence.readers = {cut_after_2_and_back(without), hears(kAll)};
  EXPECT_EQ(verdict("resume", evidence), Verdict::violated);
  EXPECT_THAT(judge("resume", evidence)->witness, HasSubstr("never told of message 7/3"));

  without.insert(without.begin(), gap(4, 4, 150ms));
  evidence.readers = {cut_after_2_and_back(without), hears(kAll)};
  EXPECT_EQ(verdict("resume", evidence), Verdict::holds) << "it was told";

  rest.insert(rest.begin() + 1, message(2, 151ms, 3));
  evidence.readers = {cut_after_2_and_back(rest)};
  EXPECT_THAT(judge("resume", evidence)->witness, HasSubstr("second time"));
}

TEST(PubsubFanoutChecks, RoomsApart) {
  Evidence evidence = ten_sayings();
  evidence.readers = {hears(kAll)};
  EXPECT_EQ(verdict("rooms-apart", evidence), Verdict::holds);
  evidence.readers[0].heard.push_back(message(1, 900ms, 0, 1));
  EXPECT_THAT(judge("rooms-apart", evidence)->witness,
              HasSubstr("is in room 0 and heard message 7/1 of room 1"));
  evidence.readers = {hears({0, 77})};
  EXPECT_THAT(judge("rooms-apart", evidence)->witness, HasSubstr("nobody said"));
  evidence.readers = {hears({0})};
  evidence.sayings[0].outcome = Outcome::fail;
  EXPECT_THAT(judge("rooms-apart", evidence)->witness, HasSubstr("was refused"));
}

TEST(PubsubFanoutChecks, BoundedMemory) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  Evidence evidence = ten_sayings();
  EXPECT_FALSE(judge("bounded-memory", evidence));
  evidence.memory = {{"n1", 10 * kMiB, 10 * kMiB + kMiB / 2, 10, 20 * kMiB}};
  EXPECT_LT(memory_bound(evidence, evidence.memory[0]), 2 * kMiB);
  EXPECT_EQ(verdict("bounded-memory", evidence), Verdict::holds);
  evidence.memory[0].peak_bytes = 29 * kMiB;
  EXPECT_EQ(verdict("bounded-memory", evidence), Verdict::violated);
  evidence.memory[0] = {"n1", 10 * kMiB, 10 * kMiB + kMiB / 2, 10,
                        kMiB};  // it could have kept all of that
  EXPECT_EQ(verdict("bounded-memory", evidence), Verdict::inconclusive);
  evidence.kernel_numbers_count = false;
  EXPECT_EQ(verdict("bounded-memory", evidence), Verdict::inconclusive);
}

TEST(PubsubFanoutChecks, OthersUndisturbed) {
  Evidence evidence = ten_sayings();
  evidence.readers = {hears(kAll)};
  EXPECT_FALSE(judge("others-undisturbed", evidence)) << "nobody stalled";
  evidence.stall = {100ms, 300ms};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::holds);
  evidence.readers[0].heard[3].at =
      120ms + 106ms;  // half of 200 ms and the machine's 5 ms are allowed
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::violated);
  evidence.faults = {{150ms, 160ms}};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::holds) << "a fault excuses it";
  evidence.readers[0].stalls = true;
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::inconclusive);
}

TEST(PubsubFanoutChecks, WhoGivesUpASilentNodeWasDisturbed) {
  Evidence evidence = ten_sayings();
  evidence.stall = {100ms, 1600ms};
  Reader gives_up = hears({0, 1, 2});
  gives_up.heard.back() = lost(600ms);
  evidence.readers = {gives_up};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::holds) << "it was cut";
  evidence.readers[0].heard.back().silent = true;
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::violated);
  EXPECT_THAT(judge("others-undisturbed", evidence)->witness, HasSubstr("gave its connection up"));
  evidence.faults = {{590ms, 610ms}};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::violated) << "no fault does that";
  evidence.hiccup = 300ms;
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::inconclusive);
  evidence.hiccup = 5ms;
  evidence.core_waits = {{0ms, 0ms}, {150ms, 10ms}, {550ms, 305ms}, {650ms, 306ms}};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::inconclusive);
  evidence.core_waits = {{0ms, 0ms}, {150ms, 300ms}, {650ms, 301ms}};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::inconclusive) << "a backlog";
  evidence.core_waits = {{0ms, 0ms}, {90ms, 300ms}, {650ms, 301ms}};
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::violated) << "before the stall";
  evidence.hiccup = 300ms;
  Reader waits = hears(kAll);  // told plainly, beside one who cannot be told
  waits.heard[3].at = 1300ms;
  evidence.readers.push_back(waits);
  evidence.faults.clear();
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::violated);
  EXPECT_THAT(judge("others-undisturbed", evidence)->witness, HasSubstr("only after 1180.0 ms"));
  evidence.readers.pop_back();
  evidence.stall = {100ms, 190ms};
  evidence.hiccup = 100ms;
  EXPECT_EQ(verdict("others-undisturbed", evidence), Verdict::holds) << "the stall was over";
}

TEST(PubsubFanoutChecks, WaitsForACoreAreKnownForWhenTheKernelWasAsked) {
  Evidence evidence;
  EXPECT_EQ(waited_for_core(evidence, 10ms, 20ms), 0ms);
  evidence.core_waits = {{10ms, 1ms}, {20ms, 3ms}, {30ms, 8ms}};
  EXPECT_EQ(waited_for_core(evidence, 10ms, 20ms), 2ms);
  EXPECT_EQ(waited_for_core(evidence, 15ms, 16ms), 2ms);
  EXPECT_EQ(waited_for_core(evidence, 19ms, 21ms), 7ms);
  EXPECT_EQ(waited_for_core(evidence, 0ms, 100ms), 8ms);
  EXPECT_EQ(waited_for_core(evidence, 40ms, 50ms), 0ms);
}

TEST(PubsubFanoutChecks, BackInTime) {
  Evidence evidence = ten_sayings();
  evidence.readers = {cut_after_2_and_back({joined(150ms)})};
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::holds);
  // 400 ms to notice, three tries of 420 ms, 5 ms of the machine's.
  EXPECT_EQ(return_bound(evidence, 125ms, 150ms), 1665ms);
  evidence.readers = {cut_after_2_and_back({joined(125ms + 1666ms)})};
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::violated);
  evidence.faults = {{100ms, 130ms}};
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::holds)
      << "the node was away for 5 ms of it";
  evidence.faults.clear();
  evidence.core_waits = {{0ms, 3ms}, {2s, 5ms}};
  EXPECT_EQ(return_bound(evidence, 125ms, 150ms), 1667ms) << "2 ms without a core";
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::holds);
  Reader stranded = hears({0, 1});
  stranded.heard.back() = lost(300ms);
  evidence.readers = {stranded};
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::violated);
  evidence.end = 300ms + 1662ms + 2ms;  // the bound, and what it waited for a core
  EXPECT_NE(verdict("back-in-time", evidence), Verdict::violated) << "it had no time to come back";
  evidence.end = 300ms + 1700ms;
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::violated);
  evidence.readers[0].goes_away = true;
  EXPECT_EQ(verdict("back-in-time", evidence), Verdict::inconclusive);
}

TEST(PubsubFanoutChecks, PresenceConverges) {
  Evidence evidence = ten_sayings();
  EXPECT_EQ(verdict("presence-converges", evidence), Verdict::inconclusive);
  evidence.quiet_since = 2s;
  evidence.lease = 600ms;
  evidence.presence = {{"n1", 0, {"ann", "bob"}, {"ann", "bob"}, 2605ms}};
  EXPECT_EQ(verdict("presence-converges", evidence), Verdict::holds);
  evidence.presence[0].told = {"ann", "bob", "cid"};
  EXPECT_THAT(judge("presence-converges", evidence)->witness, HasSubstr("1 who are gone (cid)"));
  evidence.presence[0].told = {"bob"};
  EXPECT_THAT(judge("presence-converges", evidence)->witness,
              HasSubstr("1 missing who are there (ann)"));
  evidence.presence[0].asked = 2604ms;  // a dead node's lease and the machine's 5 ms may last
  EXPECT_EQ(verdict("presence-converges", evidence), Verdict::inconclusive);
  evidence.presence[0].asked = 2605ms;
  EXPECT_EQ(verdict("presence-converges", evidence), Verdict::violated);
  evidence.core_waits = {{1s, 100ms}, {2s, 200ms}, {3s, 201ms}};
  EXPECT_EQ(presence_bound(evidence, 2605ms), 606ms) << "1 ms without a core since all was quiet";
  EXPECT_EQ(verdict("presence-converges", evidence), Verdict::inconclusive);
}

TEST(PubsubFanoutChecks, CountsOverAllConnections) {
  Evidence evidence = ten_sayings();
  evidence.readers = {cut_after_2_and_back(
                          {joined(150ms), message(2, 160ms), message(5, 170ms), message(4, 171ms)}),
                      hears(kAll)};
  const Counts counts = count(evidence);
  EXPECT_EQ(counts.deliveries, 16u);
  EXPECT_EQ(counts.cuts_felt, 1u);
  EXPECT_EQ(counts.duplicates, 1u);
  EXPECT_EQ(counts.reorderings, 1u);
  EXPECT_EQ(counts.gaps_silent, 5u);  // 3, 6, 7, 8, 9
}

TEST(PubsubFanoutWire, ThereAndBack) {
  const auto payload = [](const std::string& frame) { return frame.substr(2); };
  EXPECT_EQ(wire::parse(payload(wire::message(42, "hello all"))).text, "hello all");
  EXPECT_EQ(wire::parse(payload(wire::message(42, "x"))).first, 42u);
  EXPECT_EQ(wire::parse(payload(wire::message(0, "x"))).first, 0u);
  EXPECT_FALSE(wire::parse(payload(wire::joined({}))).numbered);
  const auto joined = wire::parse(payload(wire::joined(Bookmark{77, 0})));
  EXPECT_TRUE(joined.numbered);
  EXPECT_EQ(joined.epoch, 77u);
  EXPECT_EQ(joined.first, 0u);
  EXPECT_EQ(wire::parse(payload(wire::gap(3, 9))).last, 9u);
  EXPECT_EQ(wire::parse(payload(wire::said(Said::no, "Redis is away"))).outcome, Said::no);
  EXPECT_EQ(wire::parse(payload(wire::said(Said::ok, "", 12))).first, 12u);
  EXPECT_EQ(wire::parse(payload(wire::said(Said::ok))).first, 0u);
  EXPECT_EQ(wire::parse(payload(wire::present(std::nullopt))).kind, wire::Line::Kind::nobody_knows);
  const std::string ann_and_bob = wire::present(std::vector<std::string>{"ann", "bob"});
  EXPECT_EQ(wire::parse(payload(ann_and_bob)).text, "ann bob");
  EXPECT_EQ(wire::parse("something else").kind, wire::Line::Kind::unknown);
}

TEST(PubsubFanoutWire, Targets) {
  const auto address =
      wire::parse_target(wire::to_target({"room-1", "ann", Bookmark{~0ull, 17}, true}));
  ASSERT_TRUE(address);
  EXPECT_EQ(address->room, "room-1");
  EXPECT_EQ(address->user, "ann");
  ASSERT_TRUE(address->after);
  EXPECT_EQ(address->after->last, 17u);
  EXPECT_EQ(address->after->epoch, ~0ull);
  EXPECT_TRUE(address->mute);
  for (const char* bad : {"/", "/rooms/", "/rooms/a b?user=x", "/rooms/a?user=",
                          "/rooms/a?after=-1", "/rooms/a?after=1&epoch=x", "/rooms/../x"})
    EXPECT_FALSE(wire::parse_target(bad)) << bad;
}

TEST(PubsubFanoutWorkload, StampsSurviveAnything) {
  lab::Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const Stamp stamp{static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random()),
                      static_cast<std::uint32_t>(random()),
                      static_cast<std::int64_t>(random() >> 1)};
    const std::string text = "m 12 " + to_text(stamp, 45 + random.below(200));
    const auto read = stamp_of(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->room, stamp.room);
    EXPECT_EQ(read->speaker, stamp.speaker);
    EXPECT_EQ(read->number, stamp.number);
    EXPECT_EQ(read->said_ns, stamp.said_ns);
  }
  EXPECT_FALSE(stamp_of("too short"));
  EXPECT_FALSE(stamp_of(std::string(100, '#')));
}

}  // namespace
}  // namespace pubsub_fanout
