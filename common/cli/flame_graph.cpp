#include "cli/flame_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <sstream>

#include "core/random.h"
#include "core/text.h"

namespace lab::cli {
namespace {

constexpr double kGraphWidth = 1200, kMargin = 10, kRow = 17, kTitle = 44;
constexpr double kLetter = 6.65;        // of an 11 px monospaced font
constexpr double kNarrowest = 0.4;      // px; what is narrower is left out
constexpr std::size_t kFewLetters = 3;  // a shorter label says nothing

/// A function in its calling context. `samples` counts those of its callees too.
struct Frame {
  std::uint64_t samples = 0;
  std::map<std::string, Frame> callees;

  std::size_t depth() const {
    std::size_t deepest = 0;
    for (const auto& [name, callee] : callees) deepest = std::max(deepest, callee.depth());
    return deepest + 1;
  }
};

/// What the profiler adds to some names: the function's address, and that it was inlined.
std::string without_notes(std::string name) {
  constexpr std::string_view kInline = "[inline]";
  constexpr std::size_t kAddress = 18;  // "<0000000000001227>"
  if (name.ends_with(kInline)) name.resize(name.size() - kInline.size());
  if (name.size() > kAddress && name.ends_with('>') && name[name.size() - kAddress] == '<' &&
      name.find_first_not_of("0123456789abcdef", name.size() - kAddress + 1) == name.size() - 1) {
    name.resize(name.size() - kAddress);
  }
  return name;
}

/// How many characters of `name` from `at` on are an operator's name: "operator()", "operator<<", …
std::size_t operator_length(std::string_view name, std::size_t at) {
  constexpr std::string_view kWord = "operator";
  if (!name.substr(at).starts_with(kWord)) return 0;
  const std::size_t symbol = at + kWord.size();
  if (name.substr(symbol).starts_with("()") || name.substr(symbol).starts_with("[]")) {
    return kWord.size() + 2;
  }
  const std::size_t end = std::min(name.find_first_not_of("<>=!+-*/%^&|~,", symbol), name.size());
  return end - at;
}

/// "void std::sort<int*>(int*, int*)" is "std::sort" in a box: no return type, template arguments
/// or parameters.
std::string short_name(std::string_view name) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  std::string result;
  int depth = 0;
  for (std::size_t i = 0; i < name.size();) {
    if (depth == 0 && name.substr(i).starts_with(kAnonymous)) {
      i += kAnonymous.size();
    } else if (const std::size_t length = depth == 0 ? operator_length(name, i) : 0; length > 0) {
      result += name.substr(i, length);
      i += length;
    } else {
      const char c = name[i++];
      if (c == '<' || c == '(') ++depth;
      if (depth == 0) result += c;
      if ((c == '>' || c == ')') && depth > 0) --depth;
    }
  }
  result.resize(std::min(result.find("@@"), result.size()));  // a symbol's version
  if (result.ends_with(" const")) result.resize(result.size() - 6);
  while (result.ends_with(' ')) result.pop_back();
  const std::size_t return_type = result.rfind(' ', result.find("operator "));
  return return_type == std::string::npos ? result : result.substr(return_type + 1);
}

void add_stack(Frame& root, std::string_view stack, std::uint64_t samples) {
  root.samples += samples;
  Frame* at = &root;
  while (!stack.empty()) {
    const std::size_t end = std::min(stack.find(';'), stack.size());
    at = &at->callees[without_notes(std::string(stack.substr(0, end)))];
    at->samples += samples;
    stack.remove_prefix(std::min(end + 1, stack.size()));
  }
}

/// Function names may hold spaces; the count stands after the last one.
Frame parse(std::string_view stacks) {
  Frame root;
  std::istringstream lines{std::string(stacks)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.rfind(' ');
    if (space == std::string::npos || space == 0) continue;
    const auto samples = std::strtoull(line.c_str() + space + 1, nullptr, 10);
    if (samples > 0) add_stack(root, std::string_view(line).substr(0, space), samples);
  }
  return root;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '&': result += "&amp;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

/// Warm, and always the same for the same function.
std::string colour(std::string_view name) {
  std::uint64_t hash = 0;
  for (const char c : name) hash = mix64(hash ^ static_cast<unsigned char>(c));
  return fmt::format("hsl({},{}%,{}%)", 12 + hash % 38, 75 + (hash >> 8) % 15,
                     62 + (hash >> 16) % 10);
}

std::string label(std::string_view full_name, double width) {
  std::string name = short_name(full_name);
  const auto letters = static_cast<std::size_t>(std::max(0.0, (width - 6) / kLetter));
  if (letters < kFewLetters) return {};
  const std::size_t scope = name.rfind("::");
  if (name.size() > letters && scope != std::string::npos) name.erase(0, scope + 2);
  if (name.size() <= letters) return escaped(name);
  return escaped(std::string_view(name).substr(0, letters - 1)) + "…";
}

class Drawing {
 public:
  Drawing(const Frame& root, std::string_view title)
      : all_(std::max<std::uint64_t>(1, root.samples)),
        height_(kTitle + kRow * static_cast<double>(root.depth()) + kMargin),
        pixels_per_sample_((kGraphWidth - 2 * kMargin) / static_cast<double>(all_)) {
    begin(title, root.samples);
    box("all", root, kMargin, height_ - kMargin - kRow);
    svg_ += "</svg>\n";
  }

  std::string svg() && { return std::move(svg_); }

 private:
  void begin(std::string_view title, std::uint64_t samples) {
    auto out = std::back_inserter(svg_);
    fmt::format_to(out, R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" )",
                   kGraphWidth, height_);
    fmt::format_to(out, R"(viewBox="0 0 {} {}" font-family="monospace" font-size="11">)",
                   kGraphWidth, height_);
    svg_ += R"(
<style>rect{stroke:#fff;stroke-width:.5}g:hover rect{stroke:#000;stroke-width:1}</style>
<rect width="100%" height="100%" fill="#fff"/>
)";
    fmt::format_to(out, R"(<text x="{}" y="18" font-size="14" font-weight="bold">{}</text>)",
                   kMargin, escaped(title));
    fmt::format_to(out, R"(<text x="{}" y="34" fill="#555">{} samples of CPU time; )", kMargin,
                   with_thousands(static_cast<long long>(samples)));
    svg_ += "a box stands on its caller and is as wide as its share; hover for the name</text>\n";
  }

  void box(std::string_view name, const Frame& frame, double x, double y) {
    const double width = static_cast<double>(frame.samples) * pixels_per_sample_;
    if (width < kNarrowest) return;
    const double share = 100.0 * static_cast<double>(frame.samples) / static_cast<double>(all_);
    auto out = std::back_inserter(svg_);
    fmt::format_to(out, "<g><title>{}: {} samples, {:.1f} %</title>", escaped(name), frame.samples,
                   share);
    fmt::format_to(out, R"(<rect x="{:.1f}" y="{:.0f}" width="{:.1f}" height="{:.0f}" fill="{}"/>)",
                   x, y, width, kRow - 1, colour(name));
    if (const std::string text = label(name, width); !text.empty()) {
      fmt::format_to(out, R"(<text x="{:.1f}" y="{:.0f}">{}</text>)", x + 3, y + kRow - 5, text);
    }
    svg_ += "</g>\n";
    for (const auto& [callee_name, callee] : frame.callees) {
      box(callee_name, callee, x, y - kRow);
      x += static_cast<double>(callee.samples) * pixels_per_sample_;
    }
  }

  std::uint64_t all_;
  double height_, pixels_per_sample_;
  std::string svg_;
};

}  // namespace

std::string flame_graph(std::string_view stacks, std::string_view title) {
  return Drawing(parse(stacks), title).svg();
}

}  // namespace lab::cli
