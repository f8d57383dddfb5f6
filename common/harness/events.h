#pragma once
// A run is a stream of events. The terminal view, the result files and whatever comes later are
// readers of it; none has a private channel.

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/clock.h"

namespace lab::harness {

struct RunResult;

using Field = std::variant<bool, std::int64_t, double, std::string>;

/// Types and their fields:
///   started   scenario question seed backend fault estimated_s
///   server    kind version pid where
///   load      text placement
///   note      text                       something the user must know: a fault refused, a backend not there
///   trial     variant index of           a variant's fault run begins
///   phase     variant name               a part of the fault run begins
///   fault     variant name target state  state: began, ended
///   check     variant name verdict witness
///   round     index of                   a timed round begins
///   failed    text                       the environment failed: no server, no folder
///   finished  verdict exit_status        and `result` is set
struct Event {
  std::string type;
  std::vector<std::pair<std::string, Field>> fields;
  Nanos at{};                         // since the run began; set by the stream
  const RunResult* result = nullptr;  // with `finished` only

  const Field* find(std::string_view field) const;
  std::string text(std::string_view field) const;  // empty when absent
  double number(std::string_view field) const;     // 0 when absent
};

class EventReader {
 public:
  virtual ~EventReader() = default;
  virtual void on(const Event& event) = 0;
};

/// Thread-safe; readers are called one event at a time, in order.
class EventStream {
 public:
  EventStream();
  void add(std::shared_ptr<EventReader> reader);
  void emit(std::string type, std::vector<std::pair<std::string, Field>> fields = {},
            const RunResult* result = nullptr);

 private:
  std::mutex mutex_;
  Instant began_;
  std::vector<std::shared_ptr<EventReader>> readers_;
};

/// One JSON object per line: {"t_ms":12.345,"type":"fault","variant":"lease",…}. Flushed line by
/// line, so that a run that is killed leaves what it knew. Write errors are kept and told by
/// problem().
class EventFile : public EventReader {
 public:
  explicit EventFile(std::filesystem::path file);
  ~EventFile() override;
  void on(const Event& event) override;
  std::string problem() const;  // empty when all is written

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::harness
