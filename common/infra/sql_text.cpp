#include "infra/sql_text.h"

#include <fmt/format.h>

namespace lab::infra {
namespace {

/// The end of what begins at `text[0]`: a quoted text, a comment, or a single character.
struct Piece {
  std::size_t size;
  bool code;  // outside quotes and comments
  bool comment;
};

Piece until(std::string_view text, std::string_view end, std::size_t from, bool comment) {
  const auto found = text.find(end, from);
  return {found == std::string_view::npos ? text.size() : found + end.size(), false, comment};
}

// A doubled quote inside a text ('it''s') reads as two texts side by side, which comes to the same.
Piece first_piece(std::string_view text) {
  const char c = text[0];
  if (c == '\'' || c == '"' || c == '`') return until(text, text.substr(0, 1), 1, false);
  if (text.starts_with("--")) return until(text, "\n", 2, true);
  if (text.starts_with("/*")) return until(text, "*/", 2, true);
  return {1, true, false};
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

/// Or fails.
bool always_finds_a_row(std::string_view statement) {
  return statement.starts_with("INSERT INTO") && statement.find(" VALUES (") != statement.npos;
}

}  // namespace

std::string numbered_placeholders(std::string_view statement) {
  std::string result;
  int count = 0;
  while (!statement.empty()) {
    const Piece piece = first_piece(statement);
    if (piece.code && statement[0] == '?') {
      result += '$';
      result += std::to_string(++count);
    } else {
      result += statement.substr(0, piece.size);
    }
    statement.remove_prefix(piece.size);
  }
  return result;
}

std::string compound_statement(std::span<const SqlStatement> statements) {
  std::string text =
      "BEGIN NOT ATOMIC "
      "DECLARE EXIT HANDLER FOR SQLEXCEPTION, NOT FOUND BEGIN ROLLBACK; RESIGNAL; END; "
      "START TRANSACTION; ";
  for (const auto& statement : statements) {
    text += statement.text;
    text += "; ";
    if (!always_finds_a_row(statement.text))
      text += "IF ROW_COUNT() = 0 THEN SIGNAL SQLSTATE '02000'; END IF; ";
  }
  return text += "COMMIT; END";
}

std::string joined_statement(std::span<const SqlStatement> statements) {
  std::string with = "WITH ", select = " SELECT ";
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const char* const comma = i == 0 ? "" : ", ";
    with += fmt::format("{}part{} AS ({} RETURNING 1)", comma, i, statements[i].text);
    select += fmt::format("{}1 / (SELECT COUNT(*) FROM part{})", comma, i);
  }
  return with + select;
}

std::string text_at_once(SqlEngine engine, std::span<const SqlStatement> statements) {
  switch (engine) {
    case SqlEngine::mariadb: return compound_statement(statements);
    case SqlEngine::postgres: return numbered_placeholders(joined_statement(statements));
    case SqlEngine::sqlite: break;
  }
  return {};
}

std::vector<std::string> split_statements(std::string_view script) {
  std::vector<std::string> statements;
  std::string current;
  const auto finish = [&] {
    if (auto statement = trimmed(current); !statement.empty())
      statements.push_back(std::move(statement));
    current.clear();
  };
  while (!script.empty()) {
    const Piece piece = first_piece(script);
    if (piece.code && script[0] == ';') {
      finish();
    } else if (piece.comment) {
      current += ' ';
    } else {
      current += script.substr(0, piece.size);
    }
    script.remove_prefix(piece.size);
  }
  finish();
  return statements;
}

}  // namespace lab::infra
