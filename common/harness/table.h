#pragma once
// Text in columns, for people: widths are counted as a terminal shows them, not in bytes.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lab::harness {

/// Columns that UTF-8 text takes on a terminal: none for combining marks, two for wide letters.
std::size_t display_width(std::string_view text);

/// Filled with blanks, on the right or on the left; longer text stays as it is.
std::string padded(std::string_view text, std::size_t columns);
std::string padded_left(std::string_view text, std::size_t columns);

/// The longest beginning that fits, with "…" where something was cut.
std::string shortened(std::string_view text, std::size_t columns);

/// Lines of at most so many columns, broken at blanks (a longer word is cut). Line breaks in the
/// text are kept. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

/// How a piece of text stands out. Never the only carrier of a meaning.
enum class Style { normal, heading, good, warning, bad, faint, struck };

/// The text in the style's terminal colours, or as it is when colours are off.
std::string styled(std::string_view text, Style style, bool colour);

struct Cell {
  std::string text;
  Style style = Style::normal;
};

/// A table whose first column names the rows. Columns that do not fit beside each other go into
/// further blocks below, each with the row names again.
class Table {
 public:
  enum class Align { left, right };

  /// A heading may take several lines; it breaks at blanks, "_" and "-".
  void add_column(std::string heading, Align align = Align::left);
  void add_row(std::vector<Cell> cells);  // one for each column

  bool empty() const { return rows_.empty() || headings_.size() < 2; }

  /// Lines of at most `columns` (if any single column fits), each indented by two blanks. Headings
  /// are broken more finely where that keeps all columns beside each other.
  std::vector<std::string> lines(std::size_t columns, bool colour) const;

 private:
  struct Heading {
    std::string text;
    Align align;
  };
  struct Column {
    std::vector<std::string> heading;
    std::size_t width;  // of heading and cells
  };
  std::vector<Column> laid_out(std::size_t heading_width) const;
  void write_block(const std::vector<Column>& layout, const std::vector<std::size_t>& columns,
                   bool colour, std::vector<std::string>& out) const;

  std::vector<Heading> headings_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace lab::harness
