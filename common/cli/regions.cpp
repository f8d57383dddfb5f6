#include "cli/regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <sstream>

#include "cli/chart.h"
#include "cli/invalid.h"
#include "cli/tables.h"

namespace lab::cli {
namespace {

using std::string_view;

// ---- where a block of C++ ends ---------------------------------------------------------------

std::size_t find_or_end(string_view text, string_view what, std::size_t from) {
  return std::min(text.find(what, from), text.size());
}

std::size_t past(string_view text, string_view what, std::size_t from) {
  return std::min(find_or_end(text, what, from) + what.size(), text.size());
}

std::size_t past_quoted(string_view source, std::size_t at) {
  const char quote = source[at];
  for (++at; at < source.size() && source[at] != quote; ++at) {
    if (source[at] == '\\') ++at;
  }
  return std::min(at + 1, source.size());
}

std::size_t past_raw_string(string_view source, std::size_t at) {
  const std::size_t open = find_or_end(source, "(", at);
  const std::string close = fmt::format("){}\"", source.substr(at + 2, open - at - 2));
  return past(source, close, open);
}

bool is_digit_separator(string_view source, std::size_t at) {
  return at > 0 && std::isxdigit(static_cast<unsigned char>(source[at - 1])) != 0;
}

/// The position after the comment or literal that begins here; `at` itself when none does.
std::size_t past_literal(string_view source, std::size_t at) {
  const string_view rest = source.substr(at);
  if (rest.starts_with("//")) return find_or_end(source, "\n", at);
  if (rest.starts_with("/*")) return past(source, "*/", at + 2);
  if (rest.starts_with("R\"")) return past_raw_string(source, at);
  if (rest.starts_with('"')) return past_quoted(source, at);
  if (rest.starts_with('\'') && !is_digit_separator(source, at)) return past_quoted(source, at);
  return at;
}

/// After `a_{1}` of a constructor's initialisers more is to come.
bool goes_on(string_view source, std::size_t at) {
  const std::size_t next = source.find_first_not_of(" \t\n", at);
  return next != string_view::npos && (source[next] == ',' || source[next] == '{');
}

/// One past the bracket or semicolon that ends what begins at `at`; npos when the brackets never
/// balance.
std::size_t end_of_block(string_view source, std::size_t at) {
  int depth = 0;
  while (at < source.size()) {
    if (const std::size_t after = past_literal(source, at); after != at) {
      at = after;
      continue;
    }
    const char c = source[at++];
    if (c == '{' || c == '(' || c == '[') ++depth;
    if (c == '}' || c == ')' || c == ']') --depth;
    if (depth < 0) return string_view::npos;
    if (depth == 0 && (c == ';' || (c == '}' && !goes_on(source, at)))) return at;
  }
  return string_view::npos;
}

std::vector<std::string> lines_of(string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string without_shared_indentation(string_view block) {
  const auto lines = lines_of(block);
  std::size_t shared = string_view::npos;
  for (const auto& line : lines) {
    if (const auto text = line.find_first_not_of(' '); text != std::string::npos) {
      shared = std::min(shared, text);
    }
  }
  std::string result;
  for (const auto& line : lines) result += (line.size() > shared ? line.substr(shared) : "") + "\n";
  return result;
}

// ---- marks -----------------------------------------------------------------------------------

struct Mark {
  std::string kind;  // "code", "table", "picture"
  std::string argument;
  std::string text() const { return kind + ": " + argument; }
  std::string closing() const { return "<!-- /" + kind + " -->"; }
};

std::optional<Mark> opening_mark(string_view line) {
  constexpr string_view kBegin = "<!-- ", kEnd = " -->";
  if (!line.starts_with(kBegin) || !line.ends_with(kEnd)) return std::nullopt;
  line = line.substr(kBegin.size(), line.size() - kBegin.size() - kEnd.size());
  const std::size_t colon = line.find(": ");
  if (colon == string_view::npos) return std::nullopt;
  Mark mark{std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))};
  const bool known = mark.kind == "code" || mark.kind == "table" || mark.kind == "picture";
  return known ? std::optional(mark) : std::nullopt;
}

std::string fence_language(const std::string& path) {
  if (path.ends_with(".sql")) return "sql";
  if (path.ends_with(".json")) return "json";
  if (path.ends_with(".txt")) return "text";
  return "cpp";
}

Result<std::string> code(const std::string& argument, const ReadFile& read) {
  constexpr string_view kFrom = " from=\"";
  const std::size_t from = argument.find(kFrom);
  const std::string path = argument.substr(0, from);
  const auto source = read(path);
  if (!source) return source.error();
  std::string block = *source;
  if (from != std::string::npos) {
    if (!argument.ends_with('"')) return invalid("from=\"…\" has no end");
    const auto text =
        argument.substr(from + kFrom.size(), argument.size() - from - kFrom.size() - 1);
    const auto found = source_block(*source, text);
    if (!found) return invalid(path + ": " + found.error().message);
    block = *found;
  }
  return fmt::format("```{}\n{}```\n", fence_language(path), block);
}

/// "results/reference/x.json limits reads_per_second": a recorded result, what is made of it, and which of its metrics.
struct Wanted {
  std::string recorded, what;
  std::vector<std::string> metrics;
};

Wanted wanted(const std::string& argument) {
  std::istringstream words(argument);
  Wanted wanted;
  words >> wanted.recorded >> wanted.what;
  for (std::string word; words >> word;) wanted.metrics.push_back(word);
  return wanted;
}

Result<std::string> table(const std::string& argument, const std::string& document,
                          const ReadFile& read) {
  const auto [recorded, kind, columns] = wanted(argument);
  const auto result = read(recorded);
  if (!result) return result.error();
  return result_table(*result, kind, columns, document);
}

/// Adds the picture's file to the document's; returns the line that shows it.
Result<std::string> picture(const std::string& argument, const std::string& path,
                            const ReadFile& read, Document& document) {
  const auto [recorded, name, metrics] = wanted(argument);
  const auto result = read(recorded);
  if (!result) return result.error();
  if (!name.ends_with(".svg")) return invalid("a picture's name ends in .svg");
  auto svg = bar_chart(*result, metrics);
  if (!svg) return svg.error();
  document.pictures[(std::filesystem::path(path).parent_path() / name).string()] = std::move(*svg);
  return fmt::format("![{}]({})\n", fmt::join(metrics, ", "), name);
}

Result<std::string> make(const Mark& mark, const std::string& path, const ReadFile& read,
                         Document& document) {
  if (mark.kind == "code") return code(mark.argument, read);
  if (mark.kind == "picture") return picture(mark.argument, path, read, document);
  return table(mark.argument, path, read);
}

/// Those of the document's pictures that are not on disk as they should be.
bool differs(const Document& document, const ReadFile& read) {
  return std::any_of(document.pictures.begin(), document.pictures.end(), [&](const auto& picture) {
    const auto old = read(picture.first);
    return !old || *old != picture.second;
  });
}

}  // namespace

Result<std::string> source_block(string_view source, string_view from) {
  const std::size_t found = source.find(from);
  if (from.empty() || found == string_view::npos)
    return invalid(fmt::format("has no line with \"{}\"", from));
  const std::size_t newline = source.rfind('\n', found);
  const std::size_t begin = newline == string_view::npos ? 0 : newline + 1;
  const std::size_t end = end_of_block(source, begin);
  if (end == string_view::npos)
    return invalid(fmt::format("the braces after \"{}\" never balance", from));
  return without_shared_indentation(source.substr(begin, find_or_end(source, "\n", end) - begin));
}

Result<Document> refresh(string_view document, const std::string& path, const ReadFile& read) {
  Document result;
  const auto lines = lines_of(document);
  bool in_example = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    result.text += lines[i] + "\n";
    if (lines[i].starts_with("```")) in_example = !in_example;
    const auto mark = in_example ? std::nullopt : opening_mark(lines[i]);
    if (!mark) continue;
    const int line = static_cast<int>(i) + 1;
    std::string old;
    while (++i < lines.size() && lines[i] != mark->closing()) old += lines[i] + "\n";
    if (i == lines.size())
      return invalid(fmt::format("line {}: {} is missing", line, mark->closing()));
    const auto made = make(*mark, path, read, result);
    if (!made) return invalid(fmt::format("line {}: {}", line, made.error().message));
    const bool redrawn = mark->kind == "picture" && differs(result, read);
    result.regions.push_back({line, mark->text(), *made != old || redrawn});
    result.text += *made + mark->closing() + "\n";
  }
  return result;
}

}  // namespace lab::cli
