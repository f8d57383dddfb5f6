// large_file_streaming's checks on hand-written evidence: what must hold, must break, must be inconclusive.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "checks.h"

namespace large_file_streaming {
namespace {

using namespace std::chrono_literals;
using lab::harness::CheckResult;
using lab::harness::Verdict;
using ::testing::HasSubstr;

std::optional<CheckResult> judge(const std::string& check, const Evidence& evidence) {
  for (const auto& each : checks()) {
    if (each.name == check) return each.judge(evidence);
  }
  ADD_FAILURE() << "there is no check " << check;
  return std::nullopt;
}

Verdict verdict(const std::string& check, const Evidence& evidence) {
  const auto result = judge(check, evidence);
  EXPECT_TRUE(result) << check << " does not apply";
  return result ? result->verdict : Verdict::inconclusive;
}

std::string witness(const std::string& check, const Evidence& evidence) {
  const auto result = judge(check, evidence);
  return result ? result->witness : "does not apply";
}

Transfer good(std::uint64_t size) {
  return {.size = size, .same = size};
}

/// A download variant of which nothing bad is known.
Evidence fine() {
  Evidence evidence;
  evidence.limit_bytes = kMemoryLimit;
  evidence.stall = 350ms;
  evidence.transfers = {good(0), good(1), good(kBuffer)};
  evidence.large = {good(4 * kGiB)};
  evidence.memory = {{.size = kMiB, .peak_bytes = 8 * kMiB, .done = true},
                     {.size = 4 * kGiB, .peak_bytes = 9 * kMiB, .done = true}};
  evidence.ranges = {{.question = {"bytes=0-9", 206, {0, 10}},
                      .status = 206,
                      .content_range = "bytes 0-9/100",
                      .bytes = 10,
                      .bytes_right = true}};
  evidence.range_size = 100;
  evidence.conditions = {{"If-None-Match: its tag", 304, 304, true}};
  evidence.paths = {{.question = {"/files/inside.txt", true}, .status = 200, .inside = true},
                    {.question = {"/files/../outside.txt", false}, .status = 404}};
  evidence.absent = {{.how = "reads nothing", .clients = 4, .seen = 4, .freed = 600ms},
                     {.how = "is gone", .clients = 4, .seen = 4, .freed = 3ms}};
  evidence.slow_reader = good(16 * kMiB);
  evidence.truncations = {{.size = 16 * kMiB,
                           .cut_to = 2 * kMiB,
                           .before = kMiB,
                           .received = 3 * kMiB,
                           .bytes_right = true,
                           .ending = Ending::cut}};
  evidence.aborts = Aborts{.count = 1000,
                           .descriptors_before = 9,
                           .descriptors_after = 9,
                           .threads_before = 2,
                           .threads_after = 2};
  return evidence;
}

Evidence fine_upload() {
  Evidence evidence = fine();
  evidence.step = Step::upload;
  evidence.kills = {
      {.point = "file_opened", .died = true, .found = Kill::Found::old_version, .size = kMiB},
      {.died = true, .found = Kill::Found::new_version, .size = kMiB}};
  return evidence;
}

TEST(LargeFileStreamingChecks, HoldOfAServerThatDidEverythingRight) {
  for (const auto& check : checks()) {
    for (const auto& evidence : {fine(), fine_upload()}) {
      const auto result = check.judge(evidence);
      if (!result) continue;
      EXPECT_EQ(result->verdict, Verdict::holds) << check.name << result->witness;
    }
  }
}

TEST(LargeFileStreamingChecks, SayNothingWithoutEvidence) {
  for (const Step step : {Step::download, Step::upload, Step::root}) {
    Evidence nothing;
    nothing.step = step;
    nothing.limit_bytes = kMemoryLimit;
    for (const auto& check : checks()) {
      const auto result = check.judge(nothing);
      if (!result) continue;
      EXPECT_EQ(result->verdict, Verdict::inconclusive) << check.name;
    }
  }
}

TEST(LargeFileStreamingChecks, EachStepIsJudgedByItsOwn) {
  Evidence evidence = fine();
  EXPECT_FALSE(judge("upload-old-or-new", evidence));
  evidence = fine_upload();
  for (const char* download :
       {"ranges-exact", "conditions-right", "slow-reader-served", "truncation-aborts"})
    EXPECT_FALSE(judge(download, evidence)) << download;
  evidence.step = Step::root;
  for (const auto& check : checks())
    EXPECT_EQ(check.judge(evidence).has_value(), check.name == "root-confined") << check.name;
  evidence = fine();
  evidence.rough = false;
  for (const char* rough :
       {"absent-freed", "slow-reader-served", "truncation-aborts", "aborts-leak-nothing"})
    EXPECT_FALSE(judge(rough, evidence)) << rough;
}

TEST(LargeFileStreamingChecks, OneWrongByteIsSeen) {
  Evidence evidence = fine();
  evidence.transfers[1] = {.size = 1, .same = 0, .right = false};
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated);
  evidence.transfers[1] = {.size = 1, .same = 1, .right = false};  // one byte too many
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated);
  evidence.transfers[1] = {.size = 1, .same = 0};  // one too few
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated);
  evidence.transfers[1] = {.size = 1, .same = 1, .coded_as_asked = false};
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated);
  evidence = fine();
  evidence.transfers[0].ending = Ending::cut;
  EXPECT_THAT(witness("content-exact", evidence), HasSubstr("cut"));
  evidence = fine();
  evidence.transfers[0].status = 503;
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated);
  evidence = fine();
  evidence.large[0].right = false;  // whole, and something else
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated);
  evidence.large[0].ending = Ending::cut;  // that it did not come is not about its content
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::holds);
}

TEST(LargeFileStreamingChecks, ARangeHasItsStatusItsLengthAndItsBytes) {
  for (const auto spoil : {+[](RangeAnswer& answer) { answer.status = 200; },
                           +[](RangeAnswer& answer) { answer.bytes = 11; },
                           +[](RangeAnswer& answer) { answer.bytes_right = false; },
                           +[](RangeAnswer& answer) { answer.content_range = "bytes 0-9/99"; },
                           +[](RangeAnswer& answer) { answer.content_range.clear(); }}) {
    Evidence evidence = fine();
    EXPECT_EQ(verdict("ranges-exact", evidence), Verdict::holds);
    spoil(evidence.ranges[0]);
    EXPECT_EQ(verdict("ranges-exact", evidence), Verdict::violated);
  }
  Evidence evidence = fine();
  evidence.ranges = {{.question = {"bytes=100-", 416, {}},
                      .status = 416,
                      .content_range = "bytes */100",
                      .bytes_right = true}};
  EXPECT_EQ(verdict("ranges-exact", evidence), Verdict::holds);
  evidence.ranges[0].content_range = "bytes */0";
  EXPECT_EQ(verdict("ranges-exact", evidence), Verdict::violated);
}

TEST(LargeFileStreamingChecks, AConditionHasItsStatusAndItsBody) {
  Evidence evidence = fine();
  evidence.conditions[0].status = 200;
  EXPECT_THAT(witness("conditions-right", evidence), HasSubstr("wanted 304, got 200"));
  evidence = fine();
  evidence.conditions[0].body_right = false;
  EXPECT_EQ(verdict("conditions-right", evidence), Verdict::violated);
}

TEST(LargeFileStreamingChecks, AHeapThatFollowsTheFileIsSeen) {
  Evidence evidence = fine();
  evidence.memory.back().peak_bytes = 10 * kMiB;  // exactly what is allowed
  EXPECT_EQ(verdict("memory-flat", evidence), Verdict::holds);
  evidence.memory.back().peak_bytes += 1;
  EXPECT_EQ(verdict("memory-flat", evidence), Verdict::violated);
  // It died before it came to the large file: the ones before tell enough, or too little.
  evidence.memory.back() = {.size = 64 * kMiB, .peak_bytes = 72 * kMiB};
  EXPECT_EQ(verdict("memory-flat", evidence), Verdict::violated);
  evidence.memory.back().peak_bytes = 8 * kMiB;
  EXPECT_EQ(verdict("memory-flat", evidence), Verdict::inconclusive);
  evidence.memory.pop_back();
  EXPECT_EQ(verdict("memory-flat", evidence), Verdict::inconclusive);
}

TEST(LargeFileStreamingChecks, TheLimitMustHaveBeenReal) {
  Evidence evidence = fine();
  evidence.died_under_limit = lab::actors::Ending{0, SIGABRT};
  EXPECT_THAT(witness("serves-under-limit", evidence), HasSubstr("signal 6"));
  evidence = fine();
  evidence.large[0].ending = Ending::cut;
  EXPECT_EQ(verdict("serves-under-limit", evidence), Verdict::violated);
  evidence = fine();
  evidence.large[0] = good(kMemoryLimit);  // it could have held that in memory, nearly
  EXPECT_EQ(verdict("serves-under-limit", evidence), Verdict::inconclusive);
  evidence.limit_bytes.reset();
  EXPECT_FALSE(judge("serves-under-limit", evidence));
}

TEST(LargeFileStreamingChecks, AStalledClientMayCostASecondAndWhatTheMachineSlept) {
  Evidence evidence = fine();
  evidence.absent[0].freed = 1s;
  EXPECT_EQ(verdict("absent-freed", evidence), Verdict::holds);
  evidence.absent[0].freed = 1001ms;
  EXPECT_EQ(verdict("absent-freed", evidence), Verdict::violated);
  evidence.hiccup = 2ms;
  EXPECT_EQ(verdict("absent-freed", evidence), Verdict::holds);
  evidence.absent[1].freed.reset();
  EXPECT_THAT(witness("absent-freed", evidence), HasSubstr("still held"));
  evidence.hiccup = 501ms;  // it was not watched for as long as that
  EXPECT_EQ(verdict("absent-freed", evidence), Verdict::inconclusive);
}

TEST(LargeFileStreamingChecks, AClientThatWasNotRunMayHaveBeenCutOffRightly) {
  Evidence evidence = fine();
  evidence.transfers[2].ending = Ending::cut;
  evidence.transfers[2].same = 7;
  evidence.ranges[0].ending = Ending::cut;
  evidence.ranges[0].bytes = 7;
  evidence.conditions[0].ending = Ending::cut;
  evidence.conditions[0].body_right = false;
  evidence.large[0].ending = Ending::cut;
  const std::vector<std::string> all{"content-exact", "ranges-exact", "conditions-right",
                                     "serves-under-limit"};
  for (const Nanos waited : {Nanos{}, Nanos{175ms}}) {
    evidence.transfers[2].waited = evidence.ranges[0].waited = waited;
    evidence.conditions[0].waited = evidence.large[0].waited = waited;
    for (const auto& check : all) EXPECT_EQ(verdict(check, evidence), Verdict::violated) << check;
  }
  evidence.transfers[2].waited = evidence.ranges[0].waited = 176ms;  // half of the limit, and more
  evidence.conditions[0].waited = evidence.large[0].waited = 176ms;
  for (const auto& check : all) EXPECT_EQ(verdict(check, evidence), Verdict::inconclusive) << check;
  evidence.transfers[2].right = evidence.ranges[0].bytes_right = false;
  EXPECT_EQ(verdict("content-exact", evidence), Verdict::violated) << "wrong bytes stay wrong";
  EXPECT_EQ(verdict("ranges-exact", evidence), Verdict::violated);
}

TEST(LargeFileStreamingChecks, ASlowReaderIsNotAStalledOne) {
  Evidence evidence = fine();
  evidence.slow_reader->ending = Ending::cut;
  EXPECT_EQ(verdict("slow-reader-served", evidence), Verdict::violated);
  evidence.hiccup = 200ms;  // it may have been stalled, by the machine
  EXPECT_EQ(verdict("slow-reader-served", evidence), Verdict::inconclusive);
}

TEST(LargeFileStreamingChecks, AShrinkingFileEndsTheConnectionAndNothingElse) {
  struct Case {
    const char* what;
    Ending ending;
    std::uint64_t received;
    bool right;
    Verdict wanted;
  };
  for (const Case& each :
       {Case{"aborted", Ending::cut, 3 * kMiB, true, Verdict::holds},
        Case{"it had all of it in memory", Ending::complete, 16 * kMiB, true, Verdict::holds},
        Case{"a short body", Ending::complete, 3 * kMiB, true, Verdict::violated},
        Case{"filled up with zeros", Ending::complete, 16 * kMiB, false, Verdict::violated},
        Case{"aborted after wrong bytes", Ending::cut, 3 * kMiB, false, Verdict::violated},
        Case{"the client waits for ever", Ending::silent, 3 * kMiB, true, Verdict::violated}}) {
    Evidence evidence = fine();
    evidence.truncations[0].ending = each.ending;
    evidence.truncations[0].received = each.received;
    evidence.truncations[0].bytes_right = each.right;
    EXPECT_EQ(verdict("truncation-aborts", evidence), each.wanted) << each.what;
  }
  Evidence evidence = fine();
  evidence.truncations[0].server = lab::actors::Ending{0, SIGBUS};
  EXPECT_THAT(witness("truncation-aborts", evidence), HasSubstr("signal 7"));
}

TEST(LargeFileStreamingChecks, OneLeakedDescriptorIsSeen) {
  for (const auto leak : {+[](Aborts& aborts) { ++aborts.descriptors_after; },
                          +[](Aborts& aborts) { ++aborts.threads_after; },
                          +[](Aborts& aborts) { ++aborts.left_behind; }}) {
    Evidence evidence = fine();
    leak(*evidence.aborts);
    EXPECT_EQ(verdict("aborts-leak-nothing", evidence), Verdict::violated);
  }
}

TEST(LargeFileStreamingChecks, ADeadServerHoldsNothingAndIsAccused) {
  Evidence evidence = fine();
  evidence.absent[0].death = "was ended by signal 13";
  EXPECT_THAT(witness("absent-freed", evidence), HasSubstr("signal 13"));
  evidence = fine();
  evidence.aborts->death = "was ended by signal 13";
  EXPECT_THAT(witness("aborts-leak-nothing", evidence), HasSubstr("signal 13"));
}

TEST(LargeFileStreamingChecks, AfterAKillThereIsTheOldFileOrTheNewOne) {
  Evidence evidence = fine_upload();
  evidence.kills[0].found = Kill::Found::neither;
  EXPECT_THAT(witness("upload-old-or-new", evidence), HasSubstr("after file_opened"));
  evidence = fine_upload();
  evidence.kills[0].acknowledged = true;  // and the old one is there
  EXPECT_EQ(verdict("upload-old-or-new", evidence), Verdict::violated);
  evidence = fine_upload();
  evidence.kills[1].left_behind = 1;
  EXPECT_EQ(verdict("upload-old-or-new", evidence), Verdict::violated);
  evidence = fine_upload();
  for (auto& kill : evidence.kills) kill.died = false;
  EXPECT_EQ(verdict("upload-old-or-new", evidence), Verdict::inconclusive);
}

TEST(LargeFileStreamingChecks, NoPathLeadsOut) {
  Evidence evidence = fine();
  evidence.paths[1].canary = true;
  EXPECT_THAT(witness("root-confined", evidence), HasSubstr("../outside.txt"));
  evidence = fine();
  evidence.paths[1].status = 200;  // something was given out, whatever it was
  EXPECT_EQ(verdict("root-confined", evidence), Verdict::violated);
  evidence = fine();
  evidence.paths[1].status = 0;
  evidence.paths[1].silent = true;  // its thread hangs in what it was asked for
  EXPECT_THAT(witness("root-confined", evidence), HasSubstr("neither answered nor closed"));
  evidence = fine();
  evidence.paths[0].status = 404;  // who serves nothing leaks nothing
  EXPECT_EQ(verdict("root-confined", evidence), Verdict::violated);
}

}  // namespace
}  // namespace large_file_streaming
