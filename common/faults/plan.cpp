#include "faults/plan.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "core/stop.h"

namespace lab::faults {
namespace {

/// What the call answered, as text; empty when it went well. A fault that throws must not take the
/// plan's thread with it.
std::string outcome_of(const std::function<Result<void>()>& call) {
  if (!call) return {};
  try {
    const auto result = call();
    return result ? std::string{} : describe(result.error());
  } catch (const std::exception& error) {
    return error.what();
  }
}

void add_error(FaultRecord& record, const std::string& error) {
  if (error.empty()) return;
  record.error += (record.error.empty() ? "" : "; ") + error;
}

}  // namespace

struct FaultPlan::State {
  struct Active {
    std::size_t fault;   // index into faults
    std::size_t record;  // index into records
    Nanos due;           // when it is to end
  };

  std::vector<Fault> faults;  // by time
  Instant zero;
  Observer observer;
  std::vector<FaultRecord> records;
  std::vector<Active> active;
  std::size_t next = 0;  // the first fault that has not begun

  std::thread thread;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;

  void run();
  void begin(std::size_t fault);
  void end(Active ending);
  std::vector<FaultRecord> join();
  Nanos elapsed() const { return now() - zero; }
  /// False when stopped before that.
  bool wait_until(Nanos time);
  std::vector<Active>::iterator first_to_end() {
    return std::min_element(active.begin(), active.end(),
                            [](const Active& a, const Active& b) { return a.due < b.due; });
  }
};

bool FaultPlan::State::wait_until(Nanos time) {
  constexpr Nanos kSlice = 20ms;  // how soon a stop of the whole run (Ctrl-C) is noticed
  std::unique_lock lock(mutex);
  const auto over = [this] { return stopping || stop_requested(); };
  while (!over() && elapsed() < time) {
    wake.wait_until(lock, std::min(zero + time, now() + kSlice), over);
  }
  return !over();
}

void FaultPlan::State::run() {
  while (next < faults.size() || !active.empty()) {
    const auto ending = first_to_end();
    const bool ends_first =
        ending != active.end() && (next == faults.size() || ending->due <= faults[next].at);
    if (!wait_until(ends_first ? ending->due : faults[next].at)) break;
    if (ends_first) {
      const auto what = *ending;
      active.erase(ending);
      end(what);
    } else {
      begin(next++);
    }
  }
  for (; !active.empty(); active.pop_back()) end(active.back());
}

void FaultPlan::State::begin(std::size_t index) {
  const auto& fault = faults[index];
  FaultRecord record;
  record.name = fault.name;
  record.target = fault.target;
  record.began = elapsed();
  add_error(record, outcome_of(fault.begin));
  record.in_force = elapsed();
  records.push_back(record);
  const Active begun{index, records.size() - 1, record.in_force + fault.duration};
  if (observer) observer(record, false);
  // A beginning that failed may have done half of its work: mend it now.
  if (record.error.empty()) {
    active.push_back(begun);
  } else {
    end(begun);
  }
}

void FaultPlan::State::end(Active ending) {
  auto& record = records[ending.record];
  add_error(record, outcome_of(faults[ending.fault].end));
  record.ended = elapsed();
  if (observer) observer(record, true);
}

std::vector<FaultRecord> FaultPlan::State::join() {
  if (thread.joinable()) thread.join();
  return records;
}

FaultPlan::FaultPlan(std::vector<Fault> faults) : state_(std::make_unique<State>()) {
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
  state_->faults = std::move(faults);
}

FaultPlan::~FaultPlan() {
  stop();
}

void FaultPlan::start(Instant zero, Observer observer) {
  state_->zero = zero;
  state_->observer = std::move(observer);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

std::vector<FaultRecord> FaultPlan::finish() {
  return state_->join();
}

std::vector<FaultRecord> FaultPlan::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  return state_->join();
}

}  // namespace lab::faults
