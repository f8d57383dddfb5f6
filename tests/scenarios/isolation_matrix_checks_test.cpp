// Scripts, cells and expectations, without a server; the player on SQLite.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "checks.h"
#include "expected.h"
#include "judge/list_append.h"
#include "list_load.h"
#include "player.h"
#include "test_support.h"
#include "variants/sqlite.h"
#include "workload.h"

namespace isolation_matrix {
namespace {

using lab::Error;
using lab::ErrorCode;
using lab::Happened;
using lab::harness::CheckResult;
using lab::harness::Promise;
using lab::harness::Verdict;
using lab::infra::SqlRow;
using lab::infra::SqlValue;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Script& script(const std::string& anomaly) {
  for (const auto& candidate : scripts()) {
    if (candidate.anomaly == anomaly) return candidate;
  }
  throw std::runtime_error("no script " + anomaly);
}

Answer done(std::vector<SqlRow> rows = {}, std::int64_t affected = 1) {
  Answer answer;
  answer.state = Answer::State::done;
  answer.result.rows = std::move(rows);
  answer.result.affected = answer.result.rows.empty() ? affected : 0;
  return answer;
}
Answer value(std::int64_t number) {
  return done({{SqlValue(number)}});
}
Answer failed(ErrorCode code, const char* native, const char* message = "no") {
  Answer answer;
  answer.state = Answer::State::failed;
  answer.error = Error{code, Happened::no, message, native};
  return answer;
}
Answer waited(Answer answer, std::size_t steps) {
  answer.waited = true;
  answer.steps = steps;
  return answer;
}

std::vector<std::string> check_names() {
  std::vector<std::string> names;
  for (const auto& check : checks()) names.push_back(check.name);
  return names;
}

/// Every step done, one row of no interest for each SELECT; then these by their label.
Played played(const Script& it, const std::map<std::string, Answer>& by_label,
              std::vector<SqlRow> accounts = {}) {
  std::vector<Answer> answers;
  for (const auto& step : it.steps) {
    const auto found = by_label.find(step.label);
    answers.push_back(found != by_label.end() && !step.label.empty() ? found->second : done());
  }
  return {it, std::move(answers), std::move(accounts)};
}

std::vector<SqlRow> accounts(std::int64_t first, std::int64_t second) {
  return {{SqlValue(std::int64_t{1}), SqlValue(first)},
          {SqlValue(std::int64_t{2}), SqlValue(second)}};
}

struct Case {
  std::string anomaly;
  std::map<std::string, Answer> answers;
  std::vector<SqlRow> accounts;
};

TEST(Scripts, SeeTheirAnomaly) {
  for (const auto& [anomaly, answers, end] : std::vector<Case>{
           {"G0", {}, accounts(12, 21)},
           {"G1a", {{"dirty", value(101)}}, {}},
           {"G1b", {{"between", value(101)}}, {}},
           {"G1c", {{"T2's", value(22)}, {"T1's", value(11)}}, {}},
           {"PMP", {{"before", done()}, {"phantom", value(3)}}, {}},
           {"P4", {{"T1 read", value(10)}, {"T2 read", value(10)}}, {}},
           {"G-single", {{"row 1", value(10)}, {"row 2", value(18)}}, {}},
           {"G-single-write", {{"row 1", value(10)}, {"deleted", done({}, 0)}}, {}},
           {"G2-item", {{"T1 read", value(30)}, {"T2 read", value(30)}}, {}},
           {"G2-predicate", {{"T1 found", done()}, {"T2 found", done()}}, {}},
           {"internal", {{"before", value(10)}, {"after", value(16)}}, {}},
           {"MAV", {{"with T2's", value(112)}, {"without T2's", value(20)}}, {}},
       }) {
    EXPECT_TRUE(script(anomaly).observed(played(script(anomaly), answers, end))) << anomaly;
  }
}

TEST(Scripts, DoNotSeeItWhereTheDatabaseIsRight) {
  for (const auto& [anomaly, answers, end] : std::vector<Case>{
           {"G0", {}, accounts(12, 22)},
           {"G0", {}, accounts(11, 21)},
           {"G1a", {{"dirty", value(10)}}, {}},
           {"G1b", {{"between", value(10)}}, {}},
           {"G1b", {{"between", value(11)}}, {}},
           {"G1c", {{"T2's", value(20)}, {"T1's", value(11)}}, {}},
           {"PMP", {{"before", done()}, {"phantom", done()}}, {}},
           {"P4", {{"T1 read", value(10)}, {"T2 read", value(11)}}, {}},
           {"G-single", {{"row 1", value(10)}, {"row 2", value(20)}}, {}},
           {"G-single", {{"row 1", value(12)}, {"row 2", value(18)}}, {}},
           {"G-single-write", {{"row 1", value(10)}, {"deleted", done({}, 1)}}, {}},
           {"G2-item", {{"T1 read", value(30)}, {"T2 read", value(31)}}, {}},
           {"G2-predicate", {{"T1 found", done()}, {"T2 found", value(3)}}, {}},
           {"internal", {{"before", value(10)}, {"after", value(11)}}, {}},
           {"internal", {{"before", value(15)}, {"after", value(16)}}, {}},
           {"MAV", {{"with T2's", value(110)}, {"without T2's", value(20)}}, {}},
           {"MAV", {{"with T2's", value(112)}, {"without T2's", value(18)}}, {}},
       }) {
    EXPECT_FALSE(script(anomaly).observed(played(script(anomaly), answers, end))) << anomaly;
  }
}

/// An abort prevents whatever needed both to commit.
TEST(Scripts, AnAbortPrevents) {
  for (const char* anomaly : {"P4", "G2-item", "G2-predicate", "G1c"}) {
    const Script& it = script(anomaly);
    Played all = played(it, {{"T1 read", value(it.anomaly == "P4" ? 10 : 30)},
                             {"T2 read", value(it.anomaly == "P4" ? 10 : 30)},
                             {"T2's", value(22)},
                             {"T1's", value(11)}});
    ASSERT_TRUE(it.observed(all)) << anomaly;
    std::vector<Answer> answers = all.answers();
    answers.back() = failed(ErrorCode::conflict, "40001");
    EXPECT_FALSE(it.observed({it, answers, {}})) << anomaly;
  }
}

TEST(Scripts, AreWellFormed) {
  std::set<std::string> names;
  for (const auto& it : scripts()) {
    EXPECT_TRUE(names.insert(it.anomaly).second) << it.anomaly;
    EXPECT_FALSE(it.claim.empty());
    std::set<std::string> labels;
    for (const Who who : {T1, T2}) {
      std::string last;
      for (const auto& step : it.steps) {
        if (step.who == who) last = step.statement;
      }
      EXPECT_TRUE(last == "COMMIT" || last == "ROLLBACK") << it.anomaly;
    }
    for (const auto& step : it.steps)
      EXPECT_TRUE(step.label.empty() || labels.insert(step.label).second) << step.label;
  }
  EXPECT_EQ(names.size(), 12U);
}

TEST(APlay, IsToldStepByStep) {
  const Script& it = script("G1a");
  const Played all = played(it, {{"dirty", waited(value(10), 3)}});
  EXPECT_EQ(
      all.transcript(),
      "T1: UPDATE accounts SET balance = 101 WHERE id = 1; T2: SELECT balance FROM accounts "
      "WHERE id = 1 (waited 3 steps) → 10; T1: ROLLBACK; T2: SELECT balance FROM accounts WHERE "
      "id = 1 → no row; T2: COMMIT");
  EXPECT_EQ(all.waits(), 1U);
  EXPECT_EQ(all.steps_waited(), 3U);
  EXPECT_EQ(all.aborts(), 0U);
}

TEST(APlay, KnowsAbortsFromProblems) {
  const Script& it = script("G1a");
  const auto with = [&](const Answer& answer) { return played(it, {{"dirty", answer}}); };
  EXPECT_EQ(with(failed(ErrorCode::conflict, "1213")).aborts(), 1U);
  EXPECT_EQ(with(failed(ErrorCode::conflict, "1213")).problem(), "");
  EXPECT_EQ(with(failed(ErrorCode::conflict, "1205")).aborts(), 0U);
  EXPECT_THAT(with(failed(ErrorCode::conflict, "1205")).problem(), HasSubstr("time limit"));
  EXPECT_THAT(with(failed(ErrorCode::invalid, "42601", "syntax")).problem(), HasSubstr("syntax"));
}

CheckResult judged(const Matrix& matrix, const std::string& anomaly) {
  for (const auto& check : checks()) {
    if (check.name == anomaly) return check.judge(matrix).value();
  }
  throw std::runtime_error("no check " + anomaly);
}

TEST(ACell, IsViolatedByASingleSighting) {
  const Script& it = script("G1a");
  Matrix matrix;
  matrix.add(it, played(it, {{"dirty", value(10)}}));
  matrix.add(it, played(it, {{"dirty", value(101)}}));
  EXPECT_EQ(judged(matrix, "G1a").verdict, Verdict::violated);
  EXPECT_THAT(judged(matrix, "G1a").witness, HasSubstr("1 of 2 times. T1: UPDATE"));
  EXPECT_EQ(judged(matrix, "G1a").examined, 2U);
}

TEST(ACell, ThatHoldsTellsItsPrice) {
  const Script& it = script("G1a");
  Matrix matrix;
  matrix.add(it, played(it, {{"dirty", waited(value(10), 3)}}));
  EXPECT_EQ(judged(matrix, "G1a").verdict, Verdict::holds);
  EXPECT_EQ(judged(matrix, "G1a").witness, "wait of 3 steps");
  Matrix aborted;
  aborted.add(it, played(it, {{"dirty", waited(failed(ErrorCode::conflict, "40001"), 1)}}));
  EXPECT_EQ(judged(aborted, "G1a").witness, "wait of 1 step, abort");
  Matrix free;
  free.add(it, played(it, {{"dirty", value(10)}}));
  EXPECT_EQ(judged(free, "G1a").witness, "");
}

TEST(ACell, IsOpenWhenAPlayProvedNothing) {
  const Script& it = script("G1a");
  Matrix matrix;
  matrix.add(it, played(it, {{"dirty", value(10)}}));
  matrix.add(it, played(it, {{"dirty", failed(ErrorCode::closed, "", "gone")}}));
  EXPECT_EQ(judged(matrix, "G1a").verdict, Verdict::inconclusive);
  EXPECT_THAT(judged(matrix, "G1a").witness, HasSubstr("gone"));
}

TEST(AHistory, IsHeldToItsLevel) {
  using lab::judge::Judgement;
  const auto of = [](const Judgement& judgement, std::uint64_t aborted) {
    Matrix matrix;
    matrix.add(judgement, aborted);
    return judged(matrix, "history");
  };
  Judgement judgement{
      .verdict = lab::judge::Verdict::holds, .why = {}, .findings = {}, .examined = 900};
  EXPECT_EQ(of(judgement, 0).verdict, Verdict::holds);
  EXPECT_EQ(of(judgement, 0).witness, "900 commits");
  EXPECT_EQ(of(judgement, 100).witness, "900 commits, 10 % aborts");
  judgement.examined = 99;
  EXPECT_EQ(of(judgement, 0).verdict, Verdict::inconclusive) << "too few";
  judgement.verdict = lab::judge::Verdict::unknown;
  judgement.why = "the time was up";
  EXPECT_EQ(of(judgement, 0).witness, "the time was up");
  judgement.verdict = lab::judge::Verdict::violated;
  judgement.findings.push_back({.anomaly = "G-single", .witness = "T1 and T2"});
  EXPECT_EQ(of(judgement, 0).verdict, Verdict::violated);
  EXPECT_EQ(of(judgement, 0).witness, "G-single, 1 found. T1 and T2");
}

TEST(ACell, ThatWasNeverPlayedIsNotJudged) {
  EXPECT_THAT(lab::harness::judge_all(checks(), Matrix{}), IsEmpty());
}

/// A deviation in either direction must not pass.
TEST(ADeviation, FromTheExpectedCellIsNoGoodRun) {
  const Script& it = script("G1a");
  Matrix seen, unseen;
  seen.add(it, played(it, {{"dirty", value(101)}}));
  unseen.add(it, played(it, {{"dirty", value(10)}}));
  const auto verdict = [](const Matrix& matrix, const Promise& promise) {
    return against_promise(lab::harness::judge_all(checks(), matrix), promise, "none");
  };
  EXPECT_EQ(verdict(seen, Promise::must_hold()), Verdict::violated);
  EXPECT_EQ(verdict(unseen, Promise::must_break("G1a")), Verdict::inconclusive);
  EXPECT_EQ(verdict(seen, Promise::must_break("G1a")), Verdict::holds);
  EXPECT_EQ(verdict(unseen, Promise::must_hold()), Verdict::holds);
}

TEST(Versions, AreComparedNumberByNumber) {
  EXPECT_TRUE(older("10.11.19", "11.6.2"));
  EXPECT_TRUE(older("9.6", "10"));
  EXPECT_FALSE(older("11.8.3", "11.6.2"));
  EXPECT_FALSE(older("15.20", "15"));
  EXPECT_FALSE(older("", "15"));
}

TEST(Expectations, AreThoseOfTheNearestVersionThatIsNotNewer) {
  EXPECT_EQ(expected_of("mariadb", "10.11.19").file, "mariadb-10.11");
  EXPECT_EQ(expected_of("mariadb", "11.4.5").file, "mariadb-10.11");
  EXPECT_EQ(expected_of("mariadb", "11.8.3").file, "mariadb-11.6.2");
  EXPECT_EQ(expected_of("mariadb", "10.6.1").file, "mariadb-10.11");
  EXPECT_EQ(expected_of("mariadb", "").file, "mariadb-10.11");
  EXPECT_EQ(expected_of("postgres", "17.2").file, "postgres-15");
  EXPECT_THROW(expected_of("oracle", "1"), lab::Failure);
  EXPECT_THROW(expected_of("postgres", "15").observed("postgres_chaos"), lab::Failure);
}

TEST(Expectations, SpeakOfScriptsThatExist) {
  for (const char* engine : {"mariadb", "postgres", "sqlite"}) {
    for (const char* version : {"", "99"}) {
      for (const auto& [variant, anomalies] : expected_of(engine, version).levels) {
        EXPECT_TRUE(variant.starts_with(engine)) << variant;
        for (const auto& anomaly : anomalies)
          EXPECT_THAT(check_names(), testing::Contains(anomaly));
      }
    }
  }
}

TEST(Expectations, ThatCannotBeReadSaySo) {
  EXPECT_THAT(parse_expected("x-1", "{").error().message, HasSubstr("expected/x-1.json"));
  EXPECT_THAT(parse_expected("x-1", "{}").error().message, HasSubstr("version"));
}

/// A database of its own, with the accounts in it.
class OnSqlite : public testing::Test {
 protected:
  OnSqlite() {
    lab::infra::SqlAddress address;
    address.path = folder_ / "accounts.sqlite";
    sql_ = lab::infra::connect_sql(address);
    (void)sql_->run("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)");
  }
  Player player() {
    std::vector<std::unique_ptr<lab::infra::SqlConnection>> transactions;
    for (std::size_t i = 0; i < kTransactions; ++i)
      transactions.push_back(std::move(sql_->acquire().value()));
    return {std::move(transactions), std::move(sql_->acquire().value()), ""};
  }

  lab::test::TestFolder folder_;  // outlives what lies in it
  std::unique_ptr<lab::infra::Sql> sql_;
};

TEST_F(OnSqlite, WhoWaitsIsLeftWaitingAndTheScriptGoesOn) {
  const Played all = player().play(script("P4"));
  EXPECT_EQ(all.saw("T1 read"), 10);
  EXPECT_EQ(all.saw("T2 read"), 11) << all.transcript();
  // T2 is let in by T1's COMMIT, three steps after it knocked; or later, if it was asleep.
  EXPECT_GE(all.waits(), 1U);
  EXPECT_GE(all.steps_waited(), 3U) << all.transcript();
  EXPECT_TRUE(all.committed(T1) && all.committed(T2));
  EXPECT_EQ(all.in_the_end(1), 12);
}

TEST_F(OnSqlite, EachScriptBeginsAnew) {
  Player one = player();
  for (int i = 0; i < 3; ++i) {
    const Played all = one.play(script("PMP"));
    EXPECT_EQ(all.rows("before"), 0U);
    EXPECT_EQ(all.in_the_end(3), 30);
    EXPECT_EQ(all.in_the_end(1), 10);
  }
}

TEST_F(OnSqlite, ARecordedHistoryIsStrictlySerializable) {
  const auto history =
      recorded_lists(*sql_, Sqlite(), {.clients = 3, .length = 50ms, .fewest = 10, .seed = 5});
  const auto judgement =
      lab::judge::check_list_append(history, {.level = lab::judge::Level::strict_serializable});
  ASSERT_TRUE(judgement) << judgement.error().message;
  EXPECT_EQ(judgement->verdict, lab::judge::Verdict::holds);
  EXPECT_GT(judgement->examined, 3U);
}

TEST_F(OnSqlite, HoweverLongTheLoadNoListGrowsLong) {
  const auto history = recorded_lists(
      *sql_, Sqlite(), {.clients = 3, .length = 0ms, .fewest = 1'500, .generation = 2, .seed = 5});
  const auto& all = history.back().operations;
  EXPECT_GE(all.size(), 1'500U * 3 / 2) << "three lists for two transactions";
  for (const auto& read : all) {
    ASSERT_TRUE(read.list);
    EXPECT_LE(read.list->size(), 8U) << "of two transactions with four operations";
  }
}

TEST_F(OnSqlite, AnErrorEndsItsTransactionAndIsTold) {
  const Script broken{"broken",
                      "",
                      {{T1, "UPDATE accounts SET balance = 11 WHERE id = 1"},
                       {T1, "SELECT nothing FROM nowhere"},
                       {T1, "COMMIT"}},
                      [](const Played&) { return false; }};
  const Played all = player().play(broken);
  EXPECT_THAT(all.problem(), HasSubstr("nowhere"));
  EXPECT_FALSE(all.committed(T1));
  EXPECT_EQ(all.answers().back().state, Answer::State::skipped);
  EXPECT_EQ(all.in_the_end(1), 10) << "rolled back";
}

}  // namespace
}  // namespace isolation_matrix
