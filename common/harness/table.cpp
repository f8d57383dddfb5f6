#include "harness/table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace lab::harness {
namespace {

constexpr std::size_t kIndent = 2, kGap = 2;
/// Headings are broken to about this width: most values need no more. To a narrower one where the
/// table would not fit otherwise.
constexpr std::size_t kHeadingWidth = 11, kNarrowHeadingWidth = 8;

struct Letter {
  char32_t code = 0;
  std::size_t bytes = 1;
};

/// The first letter of non-empty UTF-8 text; a byte that is none counts as a letter by itself.
Letter first_letter(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = lead < 0x80   ? 1
                            : lead < 0xc0 ? 0
                            : lead < 0xe0 ? 2
                            : lead < 0xf0 ? 3
                                          : 4;
  if (bytes <= 1 || bytes > text.size()) return {lead, 1};
  char32_t code = lead & (0xffu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
  }
  return {code, bytes};
}

using Range = std::pair<char32_t, char32_t>;
bool within(char32_t code, std::initializer_list<Range> ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](Range range) { return code >= range.first && code <= range.second; });
}

std::size_t width_of_letter(char32_t code) {
  // Combining marks, joiners and variation selectors.
  if (within(code, {{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}}))
    return 0;
  // East Asian wide and full-width forms, emoji.
  if (within(code, {{0x1100, 0x115f},
                    {0x2e80, 0xa4cf},
                    {0xac00, 0xd7a3},
                    {0xf900, 0xfaff},
                    {0xfe30, 0xfe6f},
                    {0xff00, 0xff60},
                    {0xffe0, 0xffe6},
                    {0x1f300, 0x1f64f},
                    {0x1f680, 0x1faff},
                    {0x20000, 0x3fffd}})) {
    return 2;
  }
  return 1;
}

/// How many bytes of the text fit into so many columns; at least one letter.
std::size_t bytes_that_fit(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0, used = 0;
  while (bytes < text.size()) {
    const Letter letter = first_letter(text.substr(bytes));
    used += width_of_letter(letter.code);
    if (used > columns && bytes > 0) break;
    bytes += letter.bytes;
  }
  return bytes;
}

void wrap_line(std::string_view line, std::size_t columns, std::vector<std::string>& out) {
  std::string current;
  const auto flush = [&] { out.push_back(std::exchange(current, {})); };
  while (!line.empty()) {
    const std::size_t blank = line.find(' ');
    std::string_view word = line.substr(0, blank);
    line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    if (word.empty()) continue;
    if (!current.empty() && display_width(current) + 1 + display_width(word) > columns) flush();
    while (display_width(word) > columns) {
      const std::size_t bytes = bytes_that_fit(word, columns);
      out.emplace_back(word.substr(0, bytes));
      word.remove_prefix(bytes);
    }
    if (!current.empty()) current += ' ';
    current += word;
  }
  flush();
}

/// "reads_per_second" in lines: pieces end at "_", "-" or a blank, and are joined while they fit.
std::vector<std::string> heading_lines(std::string_view text, std::size_t width) {
  if (text.empty()) return {};
  std::vector<std::string> lines{""};
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(" _-");
    const bool last = end == std::string_view::npos;
    const std::string_view piece = text.substr(0, last ? text.size() : end + 1);
    text.remove_prefix(piece.size());
    if (!lines.back().empty() && display_width(lines.back()) + display_width(piece) > width) {
      lines.emplace_back();
    }
    lines.back() += piece;
  }
  for (auto& line : lines) {
    while (line.ends_with(' ')) line.pop_back();
  }
  return lines;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Letter letter = first_letter(text);
    columns += width_of_letter(letter.code);
    text.remove_prefix(letter.bytes);
  }
  return columns;
}

std::string padded(std::string_view text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return std::string(text) + std::string(columns > width ? columns - width : 0, ' ');
}

std::string padded_left(std::string_view text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return std::string(columns > width ? columns - width : 0, ' ') + std::string(text);
}

std::string shortened(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns <= 1) return columns == 1 ? "…" : "";
  return std::string(text.substr(0, bytes_that_fit(text, columns - 1))) + "…";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  columns = std::max<std::size_t>(columns, 1);
  for (;;) {
    const std::size_t end = text.find('\n');
    wrap_line(text.substr(0, end), columns, lines);
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

std::string styled(std::string_view text, Style style, bool colour) {
  static constexpr std::array<std::string_view, 7> kCodes{"", "1", "32", "33", "1;31", "2", "2;9"};
  const std::string_view code = kCodes[static_cast<std::size_t>(style)];
  if (!colour || code.empty() || text.empty()) return std::string(text);
  return "\033[" + std::string(code) + 'm' + std::string(text) + "\033[0m";
}

void Table::add_column(std::string heading, Align align) {
  headings_.push_back({std::move(heading), align});
}

void Table::add_row(std::vector<Cell> cells) {
  cells.resize(headings_.size());
  rows_.push_back(std::move(cells));
}

std::vector<Table::Column> Table::laid_out(std::size_t heading_width) const {
  std::vector<Column> layout;
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    Column column{heading_lines(headings_[i].text, heading_width), 0};
    for (const auto& line : column.heading)
      column.width = std::max(column.width, display_width(line));
    for (const auto& row : rows_) column.width = std::max(column.width, display_width(row[i].text));
    layout.push_back(std::move(column));
  }
  return layout;
}

std::vector<std::string> Table::lines(std::size_t columns, bool colour) const {
  const auto total = [](const std::vector<Column>& layout) {
    std::size_t width = kIndent + kGap * (layout.size() - 1);
    for (const auto& column : layout) width += column.width;
    return width;
  };
  std::vector<std::string> out;
  if (headings_.empty()) return out;
  auto layout = laid_out(kHeadingWidth);
  if (total(layout) > columns) {
    auto narrow = laid_out(kNarrowHeadingWidth);
    if (total(narrow) <= columns) layout = std::move(narrow);
  }
  std::vector<std::size_t> block{0};
  std::size_t used = kIndent + layout[0].width;
  for (std::size_t i = 1; i < layout.size(); ++i) {
    if (block.size() > 1 && used + kGap + layout[i].width > columns) {
      write_block(layout, std::exchange(block, {0}), colour, out);
      out.emplace_back();
      used = kIndent + layout[0].width;
    }
    block.push_back(i);
    used += kGap + layout[i].width;
  }
  write_block(layout, block, colour, out);
  return out;
}

void Table::write_block(const std::vector<Column>& layout, const std::vector<std::size_t>& columns,
                        bool colour, std::vector<std::string>& out) const {
  const auto write = [&](const auto& cell_of) {
    std::string line(kIndent, ' ');
    for (const std::size_t column : columns) {
      const Cell cell = cell_of(column);
      const std::size_t width = layout[column].width, own = display_width(cell.text);
      const std::string blanks(width > own ? width - own : 0, ' ');
      const bool right = headings_[column].align == Align::right;
      if (column != columns.front()) line.append(kGap, ' ');
      // Blanks stay outside the style: nobody wants them struck through.
      line += (right ? blanks : "") + styled(cell.text, cell.style, colour) + (right ? "" : blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.push_back(std::move(line));
  };
  std::size_t height = 0;
  for (const auto column : columns) height = std::max(height, layout[column].heading.size());
  for (std::size_t i = 0; i < height; ++i) {
    write([&](std::size_t column) -> Cell {
      const auto& text = layout[column].heading;
      const std::size_t missing = height - text.size();  // headings stand on the table
      return {i < missing ? "" : text[i - missing], Style::faint};
    });
  }
  for (const auto& row : rows_) write([&row](std::size_t column) { return row[column]; });
}

}  // namespace lab::harness
