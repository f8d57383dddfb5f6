#include "script.h"

#include <fmt/format.h>

#include <algorithm>

namespace isolation_matrix {
namespace {

using lab::Error;
using lab::ErrorCode;

/// MariaDB's 1205 and PostgreSQL's 55P03: not the engine's decision but the clock's.
bool is_timeout(const Error& error) {
  return error.native_code == "1205" || error.native_code == "55P03";
}

bool is_abort(const Answer& answer) {
  return answer.state == Answer::State::failed && answer.error.code == ErrorCode::conflict &&
         !is_timeout(answer.error);
}

std::string value_text(const lab::infra::SqlValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "NULL";
}

/// "10" · "(1, 10), (2, 20)" · "no row"
std::string rows_text(const std::vector<lab::infra::SqlRow>& rows) {
  if (rows.empty()) return "no row";
  std::string text;
  for (const auto& row : rows) {
    std::string values;
    for (const auto& value : row) values += (values.empty() ? "" : ", ") + value_text(value);
    text += (text.empty() ? "" : ", ") + (row.size() == 1 ? values : "(" + values + ")");
  }
  return text;
}

std::string answer_text(const Step& step, const Answer& answer) {
  const std::string waited =
      answer.waited ? fmt::format(" (waited {} step{})", answer.steps, answer.steps == 1 ? "" : "s")
                    : "";
  switch (answer.state) {
    case Answer::State::skipped: return " –";
    case Answer::State::failed:
      return fmt::format(
          "{} → aborted ({})", waited,
          answer.error.native_code.empty() ? answer.error.message : answer.error.native_code);
    case Answer::State::done: break;
  }
  if (step.statement.starts_with("SELECT")) return waited + " → " + rows_text(answer.result.rows);
  const bool counts = step.statement != "COMMIT" && step.statement != "ROLLBACK";
  return waited + (counts && answer.result.affected == 0 ? " → no row" : "");
}

}  // namespace

const Answer* Played::answer(std::string_view label) const {
  for (std::size_t at = 0; at < answers_.size(); ++at) {
    if (script_->steps[at].label == label)
      return answers_[at].state == Answer::State::done ? &answers_[at] : nullptr;
  }
  return nullptr;
}

std::optional<std::int64_t> Played::saw(std::string_view label) const {
  const Answer* found = answer(label);
  if (!found || found->result.rows.empty()) return std::nullopt;
  return lab::infra::as_integer(found->result.rows.front().front());
}

std::optional<std::size_t> Played::rows(std::string_view label) const {
  const Answer* found = answer(label);
  return found ? std::optional(found->result.rows.size()) : std::nullopt;
}

std::optional<std::int64_t> Played::affected(std::string_view label) const {
  const Answer* found = answer(label);
  return found ? std::optional(found->result.affected) : std::nullopt;
}

bool Played::committed(Who who) const {
  for (std::size_t at = 0; at < answers_.size(); ++at) {
    const Step& step = script_->steps[at];
    if (step.who == who && step.statement == "COMMIT")
      return answers_[at].state == Answer::State::done;
  }
  return false;
}

std::optional<std::int64_t> Played::in_the_end(std::int64_t id) const {
  for (const auto& row : accounts_) {
    if (lab::infra::as_integer(row.at(0)) == id) return lab::infra::as_integer(row.at(1));
  }
  return std::nullopt;
}

std::size_t Played::waits() const {
  return static_cast<std::size_t>(
      std::count_if(answers_.begin(), answers_.end(), [](const Answer& it) { return it.waited; }));
}

std::size_t Played::steps_waited() const {
  std::size_t sum = 0;
  for (const auto& it : answers_) {
    if (it.waited) sum += it.steps;
  }
  return sum;
}

std::size_t Played::aborts() const {
  return static_cast<std::size_t>(std::count_if(answers_.begin(), answers_.end(), is_abort));
}

std::string Played::problem() const {
  for (std::size_t at = 0; at < answers_.size(); ++at) {
    const Answer& it = answers_[at];
    if (it.state != Answer::State::failed || is_abort(it)) continue;
    return fmt::format("T{}: {}: {}", script_->steps[at].who + 1, script_->steps[at].statement,
                       is_timeout(it.error) ? "waited until its time limit" : it.error.message);
  }
  return {};
}

std::string Played::transcript() const {
  std::string text;
  for (std::size_t at = 0; at < answers_.size(); ++at) {
    const Step& step = script_->steps[at];
    text += fmt::format("{}T{}: {}{}", text.empty() ? "" : "; ", step.who + 1, step.statement,
                        answer_text(step, answers_[at]));
  }
  return text;
}

}  // namespace isolation_matrix
