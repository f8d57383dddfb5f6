#include "harness/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "harness/report.h"
#include "harness/table.h"

namespace lab::harness {
namespace {

constexpr std::size_t kDefaultWidth = 100, kNarrowest = 40, kWidest = 160;
constexpr Nanos kBetweenLines = 5s, kBetweenFrames = 100ms;
constexpr std::size_t kBarCells = 20;

std::size_t width_of(std::FILE* file) {
  winsize size{};
  if (::ioctl(::fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultWidth;
  return std::clamp<std::size_t>(size.ws_col, kNarrowest, kWidest);
}

/// stderr: one line that rewrites itself, or a line now and then.
class Progress {
 public:
  Progress(std::FILE* out, bool animate, bool colour)
      : out_(out), animate_(animate), colour_(colour) {}

  /// Whether a frame is due; forced after something worth telling at once.
  bool due(Nanos at) const {
    return !told_ || at - last_ >= (animate_ ? kBetweenFrames : kBetweenLines);
  }

  void show(Nanos at, double fraction, const std::string& text) {
    told_ = true;
    last_ = at;
    if (!animate_) {
      write("  " + text + '\n');
      return;
    }
    const auto full = static_cast<std::size_t>(std::clamp(fraction, 0.0, 1.0) * kBarCells);
    std::string bar = "  ";
    for (std::size_t i = 0; i < kBarCells; ++i) bar += i < full ? "█" : "░";
    write("\r\033[K" + shortened(bar + "  " + text, width_of(out_) - 1));
    shown_ = true;
  }

  void line(const std::string& text, Style style) {
    clear();
    write(styled(text, style, colour_ && animate_) + '\n');
  }

  void clear() {
    if (shown_) write("\r\033[K");
    shown_ = false;
  }

  bool animated() const { return animate_; }

 private:
  void write(const std::string& text) {
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
  }

  std::FILE* out_;
  bool animate_, colour_;
  bool shown_ = false, told_ = false;
  Nanos last_{};
};

class TerminalView : public EventReader {
 public:
  TerminalView(TerminalOptions options, std::FILE* out, std::FILE* progress)
      : options_(options),
        out_(out),
        progress_(progress, options.animate, options.colour),
        width_(options.width ? options.width : width_of(out)) {}

  void on(const Event& event) override {
    if (event.type == "finished") return finished(event);
    if (options_.quiet) return;
    if (event.type == "started") return started(event);
    if (event.type == "server") return servers_.push_back(event);
    if (event.type == "note") return note(event);
    if (event.type == "failed") return progress_.clear();
    if (event.type == "load") return load(event);
    if (event.type == "fault") return fault(event);
    step(event);
  }

 private:
  bool decorated() const { return !options_.plain; }

  void print(const std::string& text) {
    progress_.clear();
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
  }

  void hanging(std::string_view start, std::string_view text, Style style) {
    const std::size_t indent = display_width(start);
    std::string before = styled(start, style, options_.colour), lines;
    for (const auto& line : wrapped(text, std::max<std::size_t>(width_ - indent, 20))) {
      lines += before + line + '\n';
      before.assign(indent, ' ');
    }
    print(lines);
  }

  void started(const Event& event) {
    estimated_s_ = event.number("estimated_s");
    if (!decorated()) return;
    print(fmt::format("{} · seed {:.0f} · {} · fault {} · about {:.0f} s\n",
                      styled(event.text("scenario"), Style::heading, options_.colour),
                      event.number("seed"), event.text("backend"), event.text("fault"),
                      estimated_s_));
    hanging("  ", event.text("question"), Style::normal);
  }

  void tell_servers() {
    if (servers_.empty()) return;
    std::string text;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const Event& server = servers_[i];
      text += fmt::format("{}{} {}", i ? " · " : "", server.text("kind"), server.text("version"));
      if (const double pid = server.number("pid"); pid > 0) text += fmt::format(" pid {:.0f}", pid);
      const bool last = i + 1 == servers_.size();
      // Where it is, once for all that are in the same place.
      if (last || servers_[i + 1].text("where") != server.text("where")) {
        if (const auto where = server.text("where"); !where.empty()) text += " (" + where + ")";
      }
    }
    servers_.clear();
    if (decorated()) hanging("  servers  ", text, Style::faint);
  }

  void load(const Event& event) {
    tell_servers();
    if (!decorated()) return;
    hanging("  load     ", event.text("text"), Style::faint);
    hanging("  placed   ", event.text("placement"), Style::faint);
  }

  void note(const Event& event) {
    if (decorated()) hanging("  note     ", event.text("text"), Style::warning);
  }

  void fault(const Event& event) {
    const bool began = event.text("state") == "began";
    fault_ = began ? event.text("name") : "";
    if (progress_.animated()) return step(event);
    progress_.line(fmt::format("  {} · {:.1f} s · FAULT {} {}", event.text("variant"),
                               seconds(event.at), event.text("name"), began ? "began" : "ended"),
                   Style::warning);
  }

  /// trial, phase, check, round: all that moves the progress line.
  void step(const Event& event) {
    if (event.type == "trial") {
      tell_servers();
      doing_ = fmt::format("[{:.0f}/{:.0f}] {}", event.number("index"), event.number("of"),
                           event.text("variant"));
      phase_.clear();
    } else if (event.type == "round") {
      doing_ =
          fmt::format("timed round {:.0f} of {:.0f}", event.number("index"), event.number("of"));
      phase_.clear();
    } else if (event.type == "phase") {
      phase_ = event.text("name");
    }
    if (progress_.due(event.at)) show(event.at);
  }

  void show(Nanos at) {
    if (doing_.empty()) return;
    const double passed_s = seconds(at);
    std::string text =
        fmt::format("{:.0f} s of about {:.0f} s · {}", passed_s, estimated_s_, doing_);
    if (!fault_.empty()) {
      text += " · FAULT " + fault_;
    } else if (!phase_.empty()) {
      text += " · " + phase_;
    }
    progress_.show(at, estimated_s_ > 0 ? passed_s / estimated_s_ : 0, text);
  }

  void finished(const Event& event) {
    progress_.clear();
    if (!event.result) return;
    const RunResult& result = *event.result;
    if (options_.quiet) return print(result.scenario + ": " + verdict_sentence(result) + '\n');
    if (options_.plain) return print(report_plain(result));
    print('\n' + report_text(result, width_, options_.colour));
  }

  TerminalOptions options_;
  std::FILE* out_;
  Progress progress_;
  std::size_t width_;
  double estimated_s_ = 0;
  std::vector<Event> servers_;
  std::string doing_, phase_, fault_;
};

}  // namespace

std::shared_ptr<EventReader> terminal_view(TerminalOptions options, std::FILE* out,
                                           std::FILE* progress) {
  return std::make_shared<TerminalView>(options, out, progress);
}

}  // namespace lab::harness
