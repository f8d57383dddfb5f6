// Verdicts, promises and guards: what adds up to what.

#include "harness/check.h"

#include <gtest/gtest.h>

namespace lab::harness {
namespace {

NamedResult holds(std::string check) {
  return {std::move(check), CheckResult::holds(10)};
}
NamedResult violated(std::string check) {
  return {std::move(check), CheckResult::violated("w", 10)};
}
NamedResult inconclusive(std::string check) {
  return {std::move(check), CheckResult::inconclusive("why")};
}

TEST(Overall, AddsUp) {
  EXPECT_EQ(overall({}), Verdict::inconclusive);
  EXPECT_EQ(overall({holds("a"), holds("b")}), Verdict::holds);
  EXPECT_EQ(overall({holds("a"), inconclusive("b")}), Verdict::inconclusive);
  EXPECT_EQ(overall({inconclusive("a"), violated("b")}), Verdict::violated);
}

TEST(PromiseToHold, IsBrokenByAnyViolation) {
  const Promise promise = Promise::must_hold();
  EXPECT_EQ(against_promise({holds("a")}, promise, "none"), Verdict::holds);
  EXPECT_EQ(against_promise({holds("a"), violated("b")}, promise, "none"), Verdict::violated);
  EXPECT_EQ(against_promise({holds("a"), inconclusive("b")}, promise, "none"),
            Verdict::inconclusive);
  EXPECT_EQ(against_promise({}, promise, "none"), Verdict::inconclusive);
}

TEST(PromiseToBreak, IsKeptOnlyByBreaking) {
  const Promise promise = Promise::must_break("a");
  EXPECT_EQ(against_promise({violated("a"), holds("b")}, promise, "none"), Verdict::holds);
  // A check that was not seen to fail proves nothing: never green.
  EXPECT_EQ(against_promise({holds("a"), holds("b")}, promise, "none"), Verdict::inconclusive);
  EXPECT_EQ(against_promise({inconclusive("a"), holds("b")}, promise, "none"),
            Verdict::inconclusive);
  EXPECT_EQ(against_promise({holds("b")}, promise, "none"), Verdict::inconclusive);
  // It must not break anything else.
  EXPECT_EQ(against_promise({violated("a"), violated("b")}, promise, "none"), Verdict::violated);
}

TEST(Promise, ClausesMayBeLimitedToFaults) {
  const Promise promise = Promise::must_hold().also_breaks("available", {"pause"});
  EXPECT_EQ(promise.text("kill"), "must_hold");
  EXPECT_EQ(promise.text("pause"), "must_break(available)");
  EXPECT_EQ(against_promise({holds("available")}, promise, "kill"), Verdict::holds);
  EXPECT_EQ(against_promise({holds("available")}, promise, "pause"), Verdict::inconclusive);
  EXPECT_EQ(against_promise({violated("available")}, promise, "pause"), Verdict::holds);
  EXPECT_EQ(against_promise({violated("available")}, promise, "kill"), Verdict::violated);
}

TEST(Promise, SilenceAcceptsEitherAnswer) {
  const Promise promise = Promise::must_break("a").silent_on("b");
  for (const auto& b : {holds("b"), violated("b"), inconclusive("b")}) {
    EXPECT_EQ(against_promise({violated("a"), b}, promise, "none"), Verdict::holds);
  }
  EXPECT_EQ(promise.text("none"), "must_break(a)");
  EXPECT_EQ(Promise::control().text("none"), "control");
}

TEST(Guards, AFailedGuardTurnsHoldsIntoInconclusiveAndNothingElse) {
  std::vector<NamedResult> results{holds("a"), violated("b"), inconclusive("c")};
  apply_guards(results, {{"enough operations", true, "12"}});
  EXPECT_EQ(results[0].result.verdict, Verdict::holds);
  apply_guards(results, {{"enough operations", true, "12"}, {"the fault hit", false, "0 of 7"}});
  EXPECT_EQ(results[0].result.verdict, Verdict::inconclusive);
  EXPECT_NE(results[0].result.witness.find("the fault hit: 0 of 7"), std::string::npos);
  EXPECT_EQ(results[1].result.verdict, Verdict::violated);
  EXPECT_EQ(results[2].result.verdict, Verdict::inconclusive);
}

}  // namespace
}  // namespace lab::harness
