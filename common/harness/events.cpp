#include "harness/events.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>

#include <nlohmann/json.hpp>

#include "harness/files.h"

namespace lab::harness {

const Field* Event::find(std::string_view field) const {
  for (const auto& [key, value] : fields) {
    if (key == field) return &value;
  }
  return nullptr;
}

std::string Event::text(std::string_view field) const {
  const Field* found = find(field);
  const auto* value = found ? std::get_if<std::string>(found) : nullptr;
  return value ? *value : std::string();
}

double Event::number(std::string_view field) const {
  const Field* found = find(field);
  if (!found) return 0;
  if (const auto* whole = std::get_if<std::int64_t>(found)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(found)) return *real;
  return 0;
}

EventStream::EventStream() : began_(now()) {}

void EventStream::add(std::shared_ptr<EventReader> reader) {
  const std::lock_guard lock(mutex_);
  readers_.push_back(std::move(reader));
}

void EventStream::emit(std::string type, std::vector<std::pair<std::string, Field>> fields,
                       const RunResult* result) {
  const std::lock_guard lock(mutex_);
  // Taken under the lock, so that times in the stream never go back.
  const Event event{std::move(type), std::move(fields), now() - began_, result};
  for (const auto& reader : readers_) reader->on(event);
}

namespace {

std::string to_line(const Event& event) {
  nlohmann::ordered_json line;
  line["t_ms"] = std::round(milliseconds(event.at) * 1e3) / 1e3;
  line["type"] = event.type;
  for (const auto& [key, field] : event.fields) {
    std::visit([&line, &name = key](const auto& value) { line[name] = value; }, field);
  }
  using nlohmann::json;
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

}  // namespace

struct EventFile::State {
  mutable std::mutex mutex;
  std::filesystem::path file;
  int descriptor = -1;
  off_t size = 0;  // of the whole lines
  std::string problem;

  void fail(int error) {
    problem = file_error("write", file, error).message;
    if (descriptor < 0) return;
    // A disk that fills up in the middle of a line must not leave half of one. Not a regular file:
    // nothing to cut.
    (void)!::ftruncate(descriptor, size);
    ::close(descriptor);
    descriptor = -1;
  }
};

EventFile::EventFile(std::filesystem::path file) : state_(std::make_unique<State>()) {
  state_->file = std::move(file);
  state_->descriptor = ::open(state_->file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (state_->descriptor < 0) state_->fail(errno);
}

EventFile::~EventFile() {
  if (state_->descriptor >= 0) ::close(state_->descriptor);
}

void EventFile::on(const Event& event) {
  const std::lock_guard lock(state_->mutex);
  if (state_->descriptor < 0) return;
  const std::string line = to_line(event);
  if (write_all(state_->descriptor, line)) {
    state_->size += static_cast<off_t>(line.size());
  } else {
    state_->fail(errno);
  }
}

std::string EventFile::problem() const {
  const std::lock_guard lock(state_->mutex);
  return state_->problem;
}

}  // namespace lab::harness
