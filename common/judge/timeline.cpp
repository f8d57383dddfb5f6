#include "judge/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace lab::judge {
namespace {

// Sizes in pixels.
constexpr int kLeft = 120;  // where the lanes begin, right of their names
constexpr int kLane = 96, kBar = 30;
constexpr int kNarrowest = 56, kWidest = 300;  // the room between two events
constexpr int kLetter = 8;
constexpr std::size_t kMostBars = 60;  // a picture with more shows nothing

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #57606a; --paper: #ffffff; --bar: #dbe9f9;
  --edge: #0a5cad; --bad: #b3261e; --lane: #d0d7de; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9da7b1; --paper: #0d1117;
  --bar: #1c3350; --edge: #79b8ff; --bad: #ff9a94; --lane: #30363d; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
pre { white-space: pre-wrap; font-size: 13px; overflow-wrap: anywhere; }
.picture { overflow-x: auto; border: 1px solid var(--lane); border-radius: 6px; }
svg { display: block; font: 12px ui-monospace, monospace; }
svg text { fill: var(--ink); } .lane { stroke: var(--lane); } .when { fill: var(--faint); }
.bar { fill: var(--bar); stroke: var(--edge); stroke-width: 1.5; }
.fail, .info { stroke-dasharray: 5 3; } .stuck { stroke: var(--bad); stroke-width: 2.5; }
.arrow { fill: none; stroke: var(--bad); stroke-width: 1.8; } .head { fill: var(--bad); }
.label { font-weight: bold; paint-order: stroke; stroke: var(--paper); stroke-width: 5px; }
</style>
)";

constexpr std::string_view kArrowHead =
    R"(<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" )"
    R"(orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>)";

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char letter : text) {
    switch (letter) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      case '\n': safe += letter; break;
      default: safe += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
    }
  }
  return safe;
}

/// At most so many letters, cut between letters of UTF-8.
std::string cut(const std::string& text, std::size_t letters) {
  std::size_t seen = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    if (++seen > letters) return text.substr(0, at) + "…";
  }
  return text;
}

struct Bar {
  std::size_t place = 0;
  std::int64_t process = 0, invoked = 0;
  std::optional<std::int64_t> returned;
  Outcome outcome = Outcome::ok;
  std::string text;
  bool stuck = false;
  int x = 0, width = 0, y = 0;
};

/// One example as SVG.
class Picture {
 public:
  Picture(std::vector<Bar> bars, const Finding& finding)
      : bars_(std::move(bars)), finding_(finding) {
    lay_out();
  }

  std::string svg() const {
    std::string out = fmt::format(
        "<div class=\"picture\"><svg role=\"img\" aria-label=\"Timeline of the example\" "
        "width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\">{}\n",
        width_, height_, width_, height_, kArrowHead);
    for (const auto& [process, y] : lanes_) {
      out += fmt::format(
          "<text x=\"8\" y=\"{}\">process {}</text>"
          "<line class=\"lane\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n",
          y + kBar / 2 + 4, process, kLeft, width_, y + kBar / 2, y + kBar / 2);
    }
    for (const auto& bar : bars_) out += drawn(bar);
    for (const auto& precedence : finding_.precedences) out += drawn(precedence);
    return out + "</svg></div>\n";
  }

 private:
  void lay_out() {
    std::set<std::int64_t> times, processes;
    for (const auto& bar : bars_) {
      times.insert(bar.invoked);
      if (bar.returned) times.insert(*bar.returned);
      processes.insert(bar.process);
    }
    int y = kLane / 2;
    for (const std::int64_t process : processes) {
      lanes_[process] = y;
      y += kLane;
    }
    height_ = y;
    const auto column = [&times](std::int64_t time) {
      return static_cast<int>(std::distance(times.begin(), times.find(time)));
    };
    const int end = static_cast<int>(times.size());
    int room = kNarrowest;
    for (const auto& bar : bars_) {
      const int columns =
          std::max(1, (bar.returned ? column(*bar.returned) : end) - column(bar.invoked));
      room = std::max(room, (static_cast<int>(bar.text.size()) + 2) * kLetter / columns);
    }
    room = std::min(room, kWidest);
    for (auto& bar : bars_) {
      const int from = column(bar.invoked), to = bar.returned ? column(*bar.returned) : end;
      bar.x = kLeft + 10 + from * room;
      bar.width = std::max(to - from, 1) * room - 6;
      bar.y = lanes_.at(bar.process);
    }
    width_ = kLeft + 30 + (end + 1) * room;
  }

  static std::string drawn(const Bar& bar) {
    const auto letters = static_cast<std::size_t>(std::max(1, bar.width / kLetter - 1));
    const std::string when =
        fmt::format("{} to {}{}", bar.invoked, bar.returned ? std::to_string(*bar.returned) : "?",
                    bar.outcome == Outcome::fail   ? ", failed"
                    : bar.outcome == Outcome::info ? ", outcome unknown"
                                                   : "");
    const char* const style = bar.outcome == Outcome::ok     ? ""
                              : bar.outcome == Outcome::fail ? " fail"
                                                             : " info";
    return fmt::format(
        "<g><title>{}\n{}</title><rect class=\"bar{}{}\" x=\"{}\" y=\"{}\" width=\"{}\" "
        "height=\"{}\" rx=\"4\"/><text x=\"{}\" y=\"{}\">{}</text>"
        "<text class=\"when\" x=\"{}\" y=\"{}\">{}</text></g>\n",
        escaped(bar.text), when, style, bar.stuck ? " stuck" : "", bar.x, bar.y, bar.width, kBar,
        bar.x + 6, bar.y + kBar / 2 + 4, escaped(cut(bar.text, letters)), bar.x + 6,
        bar.y + kBar + 14, cut(when, letters));
  }

  const Bar* bar_of(std::size_t place) const {
    const auto found = std::find_if(bars_.begin(), bars_.end(),
                                    [place](const Bar& bar) { return bar.place == place; });
    return found == bars_.end() ? nullptr : &*found;
  }

  /// From two thirds of one bar to one third of the other, so that a pair of arrows there and back
  /// stays apart.
  std::string drawn(const Precedence& precedence) const {
    const Bar* from = bar_of(precedence.before);
    const Bar* to = bar_of(precedence.after);
    if (!from || !to) return {};
    const bool down = from->y < to->y, level = from->y == to->y;
    const int x1 = from->x + from->width * 2 / 3, x2 = to->x + to->width / 3;
    const int y1 = down ? from->y + kBar : from->y, y2 = down || level ? to->y : to->y + kBar;
    const int bend = level ? -kLane / 3 : (y2 - y1) / 2;
    const int c1 = y1 + bend, c2 = level ? y2 + bend : y2 - bend;
    // Beside where it leaves, in the gap between two lanes: further on it may cross other bars.
    const int label_x = x1 + 6, label_y = down ? y1 + 26 : y1 - 14;
    return fmt::format(
        "<path class=\"arrow\" marker-end=\"url(#head)\" d=\"M{} {}C{} {} {} {} {} {}\"><title>{}"
        "</title></path><text class=\"label\" x=\"{}\" y=\"{}\">{}</text>\n",
        x1, y1, x1, c1, x2, c2, x2, y2, escaped(precedence.why), label_x, label_y,
        escaped(precedence.label));
  }

  std::vector<Bar> bars_;
  const Finding& finding_;
  std::map<std::int64_t, int> lanes_;
  int width_ = 0, height_ = 0;
};

template <class Entry>
Bar bar_of(const Entry& entry, std::size_t place, const std::string& text) {
  Bar bar;
  bar.place = place;
  bar.process = entry.process;
  bar.invoked = entry.invoked;
  bar.returned = entry.returned;
  bar.outcome = entry.outcome;
  bar.text = text;
  return bar;
}

/// "T3: append x 1"
std::vector<Bar> bars_of(std::span<const Transaction> history, const Finding& finding) {
  std::vector<Bar> bars;
  const std::set<std::size_t> once(finding.operations.begin(), finding.operations.end());
  for (const std::size_t place : once)
    bars.push_back(
        bar_of(history[place], place, fmt::format("T{}: {}", place + 1, text_of(history[place]))));
  return bars;
}

/// "2. write 1": the second of the run that works.
std::vector<Bar> bars_of(std::span<const KeyOperation> history, const Finding& finding) {
  std::vector<Bar> bars;
  for (std::size_t at = 0; at < finding.operations.size(); ++at) {
    const std::size_t place = finding.operations[at];
    const std::string number = at < finding.in_order    ? fmt::format("{}. ", at + 1)
                               : at == finding.in_order ? "no place: "
                                                        : "";
    bars.push_back(bar_of(history[place], place, number + text_of(history[place])));
    bars.back().stuck = at == finding.in_order;
  }
  // What cannot be placed, and what came last before it, tell; the beginning may go.
  if (bars.size() > kMostBars) bars.erase(bars.begin(), bars.end() - kMostBars);
  return bars;
}

template <class Entry>
std::string page(std::span<const Entry> history, const Judgement& judgement,
                 const std::string& title) {
  std::string out(kHead);
  out += fmt::format("<title>{}</title>\n</head>\n<body>\n<h1>{}: {}</h1>\n", escaped(title),
                     escaped(title), name(judgement.verdict));
  if (!judgement.why.empty()) out += fmt::format("<p>{}</p>\n", escaped(judgement.why));
  for (const auto& finding : judgement.findings) {
    std::vector<Bar> bars = bars_of(history, finding);
    if (bars.size() > kMostBars) bars.resize(kMostBars);
    out += fmt::format("<h2>{}{} ({} found)</h2>\n", escaped(finding.anomaly),
                       finding.violates ? "" : ", which is allowed here", finding.found);
    out += Picture(std::move(bars), finding).svg();
    out += fmt::format("<pre>{}</pre>\n", escaped(finding.witness));
  }
  return out + "</body>\n</html>\n";
}

}  // namespace

std::string timeline_html(std::span<const Transaction> history, const Judgement& judgement,
                          const std::string& title) {
  return page(history, judgement, title);
}

std::string timeline_html(std::span<const KeyOperation> history, const Judgement& judgement,
                          const std::string& title) {
  return page(history, judgement, title);
}

}  // namespace lab::judge
