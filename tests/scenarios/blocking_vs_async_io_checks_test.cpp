// The checks on hand-written evidence: each must hold, must break, must say when it cannot tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "checks.h"

namespace blocking_vs_async_io {
namespace {

using lab::harness::CheckResult;
using lab::harness::Verdict;
using testing::HasSubstr;
using namespace std::chrono_literals;

/// A variant that does everything right.
Evidence good() {
  Evidence evidence;
  evidence.echoes = {{"a byte at a time", 700, ""}, {"half-closed", 0, ""}};
  evidence.interruptions = 100;
  evidence.slow_calls = {.calls = 10, .answered = 5'000, .p50 = 100us, .p99 = 2ms, .hiccup = 1ms};
  evidence.slow_peers = {.peers = 80,
                         .alone = std::vector<double>(9, 10'000),
                         .beset = std::vector<double>(9, 9'900),
                         .answered_at_pool = 250};
  evidence.exhaustion = {.connections = 200,
                         .open_descriptors = 64,
                         .alive = true,
                         .connected_before = {.answered = 900},
                         .served = 5ms,
                         .waited = 5ms};
  evidence.stalled = {.closed = 4,
                      .bytes_sent = 40'000'000,
                      .resident_before = 10'000'000,
                      .peak = 11'000'000,
                      .closed_after = 600ms,
                      .limit = 500ms};
  evidence.descriptors = {.before = 12, .at_most = 1'012, .after = 12, .connections = 3'000};
  return evidence;
}

CheckResult judge(const std::string& name, const Evidence& evidence) {
  for (const auto& check : checks()) {
    if (check.name == name) return check.judge(evidence).value();
  }
  ADD_FAILURE() << "there is no check " << name;
  return {};
}

struct Case {
  const char* name;
  const char* check;
  std::function<void(Evidence&)> change;
  Verdict verdict;
  const char* says = "";
};

class Judged : public testing::TestWithParam<Case> {};

TEST_P(Judged, AsItShould) {
  Evidence evidence = good();
  GetParam().change(evidence);
  const auto result = judge(GetParam().check, evidence);
  EXPECT_EQ(result.verdict, GetParam().verdict) << result.witness;
  EXPECT_THAT(result.witness, HasSubstr(GetParam().says));
}

TEST(Checks, AllHoldOfAVariantThatDoesEverythingRight) {
  for (const auto& [name, result] : lab::harness::judge_all(checks(), good()))
    EXPECT_EQ(result.verdict, Verdict::holds) << name << ": " << result.witness;
}

TEST(Checks, WithoutEvidenceNoneHolds) {
  Evidence nothing;
  nothing.exhaustion.alive = true;
  for (const auto& [name, result] : lab::harness::judge_all(checks(), nothing))
    EXPECT_NE(result.verdict, Verdict::holds) << name;
}

constexpr auto kViolated = Verdict::violated;
constexpr auto kOpen = Verdict::inconclusive;

INSTANTIATE_TEST_SUITE_P(
    Checks, Judged,
    testing::Values(
        Case{"OtherBytes", "bytes-echoed",
             [](Evidence& e) { e.echoes[1].problem = "3 other bytes came back"; }, kViolated,
             "half-closed"},
        Case{"NobodyInterrupted", "bytes-echoed", [](Evidence& e) { e.interruptions = 0; }, kOpen},
        Case{"EveryoneWaits", "slow-call-is-its-own",
             [](Evidence& e) {
               e.slow_calls.p50 = 41ms;
               e.slow_calls.p99 = 80ms;
             },
             kViolated, "p99 80.0 ms"},
        Case{"OneInAHundredWaits", "slow-call-is-its-own",
             [](Evidence& e) { e.slow_calls.p99 = 45ms; }, kViolated},
        Case{"TheMachineWaits", "slow-call-is-its-own",
             [](Evidence& e) {
               e.slow_calls.p99 = 45ms;
               e.slow_calls.hiccup = 20ms;
             },
             kOpen, "the machine itself"},
        Case{"AHiccupExcusesNobodyWhomEveryoneWaitsFor", "slow-call-is-its-own",
             [](Evidence& e) {
               e.slow_calls.p50 = 41ms;
               e.slow_calls.p99 = 80ms;
               e.slow_calls.hiccup = 100ms;
             },
             kViolated},
        Case{"OthersFail", "slow-call-is-its-own", [](Evidence& e) { e.slow_calls.failed = 3; },
             kViolated, "3 failed"},
        Case{"AFewAreEnoughToSeeThatAllWait", "slow-call-is-its-own",
             [](Evidence& e) {
               e.slow_calls = {
                   .calls = 4, .answered = 1, .unanswered = 4, .p50 = 60ms, .p99 = 100ms};
             },
             kViolated},
        Case{"AFewAreNotEnoughForAPercentile", "slow-call-is-its-own",
             [](Evidence& e) { e.slow_calls.answered = 30; }, kOpen},
        Case{"NoSlowCall", "slow-call-is-its-own", [](Evidence& e) { e.slow_calls.calls = 0; },
             kOpen},
        Case{"NobodyElseServed", "served-beside-slow-peers",
             [](Evidence& e) { e.slow_peers.answered_at_pool = 0; }, kViolated, "8 slow peers"},
        Case{"SlowPeersWereClosed", "served-beside-slow-peers",
             [](Evidence& e) {
               e.slow_peers.answered_at_pool = 0;
               e.slow_peers.peers_closed = 8;
             },
             kOpen},
        Case{"NeverServedAnybody", "served-beside-slow-peers",
             [](Evidence& e) { e.slow_peers.alone.assign(9, 0); }, kOpen},
        Case{"HalfIsLeft", "slow-peers-isolated",
             [](Evidence& e) { e.slow_peers.beset.assign(9, 5'000); }, kViolated, "80 slow peers"},
        Case{"NothingIsLeft", "slow-peers-isolated",
             [](Evidence& e) { e.slow_peers.beset.assign(9, 0); }, kViolated},
        Case{"HalfIsLeftAndTheMachineTookATenth", "slow-peers-isolated",
             [](Evidence& e) {
               e.slow_peers.beset.assign(9, 5'000);
               e.slow_peers.without_core.assign(9, 0.1);
             },
             kViolated, "80 slow peers"},
        Case{"TheMachineTookTheOtherHalf", "slow-peers-isolated",
             [](Evidence& e) {
               e.slow_peers.beset.assign(9, 5'000);
               e.slow_peers.without_core.assign(9, 0.5);
             },
             kOpen, "waited for a core"},
        Case{"TheMachineTookAllOfTheTime", "slow-peers-isolated",
             [](Evidence& e) {
               e.slow_peers.beset.assign(9, 5'000);
               e.slow_peers.without_core.assign(9, 1);
             },
             kOpen, "waited for a core"},
        Case{"NothingIsLeftWhateverTheMachineTook", "slow-peers-isolated",
             [](Evidence& e) {
               e.slow_peers.beset.assign(9, 0);
               e.slow_peers.without_core.assign(9, 0.5);
             },
             kViolated},
        Case{"TooNoisyToTell", "slow-peers-isolated",
             [](Evidence& e) {
               e.slow_peers.beset = {5'000, 12'000, 8'000, 11'000, 6'000,
                                     9'000, 14'000, 7'000, 9'500};
             },
             kOpen, "can't tell"},
        Case{"TooFewWindows", "slow-peers-isolated",
             [](Evidence& e) { e.slow_peers.beset.resize(3); }, kOpen},
        Case{"Died", "survives-exhaustion", [](Evidence& e) { e.exhaustion.alive = false; },
             kViolated, "ended"},
        Case{"NeverAcceptsAgain", "survives-exhaustion",
             [](Evidence& e) {
               e.exhaustion.served.reset();
               e.exhaustion.waited = 4100ms;
             },
             kViolated, "4100 ms after 200 connections had gone, a newcomer"},
        Case{"FailsWhomItServed", "survives-exhaustion",
             [](Evidence& e) {
               e.exhaustion.connected_before = {.answered = 20, .problem = "reset"};
             },
             kViolated, "20 answers, and then: reset"},
        Case{
            "AnswersNobodyWhomItServed", "survives-exhaustion",
            [](Evidence& e) { e.exhaustion.connected_before = {.unanswered = 3s, .hiccup = 10ms}; },
            kViolated, "had 0 answers, and waited 3000 ms in vain"},
        Case{"StopsAnsweringWhomItServed", "survives-exhaustion",
             [](Evidence& e) { e.exhaustion.connected_before.unanswered = 3s; }, kViolated,
             "had 900 answers"},
        Case{"TheMachineStandsStillWithoutDescriptors", "survives-exhaustion",
             [](Evidence& e) {
               e.exhaustion.connected_before = {.unanswered = 3s, .hiccup = 400ms};
             },
             kOpen, "the machine itself"},
        Case{"NobodyWasConnectedBefore", "survives-exhaustion",
             [](Evidence& e) { e.exhaustion.connected_before = {}; }, kOpen},
        Case{"NeverRanOut", "survives-exhaustion",
             [](Evidence& e) { e.exhaustion.open_descriptors = 30; }, kOpen},
        Case{"HoldsItAll", "stalled-reader-bounded",
             [](Evidence& e) { e.stalled.peak = 50'000'000; }, kViolated, "KiB are enough"},
        Case{"MemoryThatASanitizerKeeps", "stalled-reader-bounded",
             [](Evidence& e) {
               e.stalled.peak = 50'000'000;
               e.stalled.memory_counts = false;
             },
             Verdict::holds},
        Case{"NeverCloses", "stalled-reader-bounded", [](Evidence& e) { e.stalled.closed = 3; },
             kViolated, "3 of 4"},
        Case{"ClosesLate", "stalled-reader-bounded",
             [](Evidence& e) { e.stalled.closed_after = 2500ms; }, kViolated},
        Case{"CouldNotSend", "stalled-reader-bounded",
             [](Evidence& e) { e.stalled.bytes_sent = 10; }, kOpen},
        Case{"Leaks", "descriptors-return", [](Evidence& e) { e.descriptors.after = 13; },
             kViolated, "13 after"},
        Case{"NobodyCame", "descriptors-return", [](Evidence& e) { e.descriptors.at_most = 12; },
             kOpen}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace blocking_vs_async_io
