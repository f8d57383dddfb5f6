#include "judge/register_search.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_set>

namespace lab::judge {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kEntryBytes = 64;       // what a set's entry costs beside its text, about
constexpr std::uint32_t kStepsPerLook = 256;  // at the clock

/// Which steps stand in the order so far. Those that returned are numbered by invocation, so a run
/// of ones grows from the left, and only what is right of it has to be told apart.
class Chosen {
 public:
  Chosen(std::size_t completed, std::size_t open)
      : words_(completed / 64 + 1), open_(open / 64 + 1) {}

  void set(std::size_t number, bool completed) {
    if (!completed) {
      open_[number / 64] |= bit(number);
      return;
    }
    words_[number / 64] |= bit(number);
    end_ = std::max(end_, number / 64 + 1);
    while (full_ < words_.size() && ~words_[full_] == 0) ++full_;
  }

  void clear(std::size_t number, bool completed) {
    if (!completed) {
      open_[number / 64] &= ~bit(number);
      return;
    }
    words_[number / 64] &= ~bit(number);
    full_ = std::min(full_, number / 64);
    while (end_ > 0 && words_[end_ - 1] == 0) --end_;
  }

  /// The same text for the same set and state, and only then.
  std::string text(std::int32_t state) const {
    std::string text;
    add(text, state);
    add(text, full_);
    add(text, end_ > full_ ? end_ - full_ : 0);
    for (std::size_t at = full_; at < end_; ++at) add(text, words_[at]);
    for (std::size_t at = 0; at < open_.size(); ++at) {
      if (open_[at] == 0) continue;
      add(text, at);
      add(text, open_[at]);
    }
    return text;
  }

 private:
  static std::uint64_t bit(std::size_t number) { return std::uint64_t{1} << (number % 64); }

  template <class Number>
  static void add(std::string& text, Number number) {
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  std::vector<std::uint64_t> words_, open_;
  std::size_t full_ = 0;  // words at the beginning that are all ones
  std::size_t end_ = 0;   // behind the last word that is not zero
};

/// Steps numbered by invocation: those that returned, and apart from them those that did not.
struct Numbers {
  explicit Numbers(const std::vector<RegisterStep>& steps) : of(steps.size()) {
    std::vector<std::size_t> order(steps.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&steps](std::size_t a, std::size_t b) {
      return steps[a].invoked < steps[b].invoked;
    });
    for (const std::size_t at : order) of[at] = steps[at].completed() ? completed++ : open++;
  }

  std::vector<std::size_t> of;
  std::size_t completed = 0, open = 0;
};

/// Calls and returns in the order of time, as a list from which a step's two can be taken out and
/// put back (Wing & Gong 1993; Lowe 2017).
class Search {
 public:
  Search(const std::vector<RegisterStep>& steps, const SearchLimits& limits)
      : steps_(steps),
        limits_(limits),
        numbers_(steps),
        chosen_(numbers_.completed, numbers_.open) {
    remaining_ = numbers_.completed;
    make_entries();
  }

  SearchResult run() {
    std::size_t entry = entries_[kHead].next;
    for (std::uint32_t looked = 0; remaining_ > 0; ++looked) {
      if (looked % kStepsPerLook == 0 && now() >= limits_.deadline) return gave_up();
      if (memory_ > limits_.memory_bytes) return gave_up(true);
      if (entries_[entry].is_call) {
        entry = try_call(entry);
        continue;
      }
      keep_longest(entries_[entry].step);
      if (order_.empty()) {
        result_.verdict = Verdict::violated;
        return std::move(result_);
      }
      entry = take_back();
    }
    result_.verdict = Verdict::holds;
    return std::move(result_);
  }

 private:
  static constexpr std::size_t kHead = 0;

  struct Entry {
    std::size_t step = 0;
    bool is_call = false;
    std::size_t other = kNone;  // the step's return
    std::size_t before = kHead, next = kNone;
  };
  struct Choice {
    std::size_t entry;
    std::int32_t state;  // before it
  };

  SearchResult gave_up(bool out_of_memory = false) {
    result_.verdict = Verdict::unknown;
    result_.out_of_memory = out_of_memory;
    return std::move(result_);
  }

  void make_entries() {
    struct Event {
      std::int64_t time;
      bool is_return;  // calls first: what touches is concurrent
      std::size_t step;
    };
    std::vector<Event> events;
    for (std::size_t at = 0; at < steps_.size(); ++at) {
      events.push_back({steps_[at].invoked, false, at});
      if (steps_[at].completed()) events.push_back({steps_[at].returned, true, at});
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
      return a.time != b.time ? a.time < b.time : a.is_return < b.is_return;
    });
    entries_.resize(events.size() + 1);
    std::vector<std::size_t> call_of(steps_.size());
    for (std::size_t at = 1; at < entries_.size(); ++at) {
      const Event& event = events[at - 1];
      entries_[at].step = event.step;
      entries_[at].is_call = !event.is_return;
      entries_[at].before = at - 1;
      entries_[at - 1].next = at;
      if (event.is_return) {
        entries_[call_of[event.step]].other = at;
      } else {
        call_of[event.step] = at;
      }
    }
  }

  /// Puts the step next in the order if it fits and this was not tried before. Returns where to go
  /// on.
  std::size_t try_call(std::size_t entry) {
    const std::size_t at = entries_[entry].step;
    const RegisterStep& step = steps_[at];
    const auto state = after(step, state_);
    if (!state) return entries_[entry].next;
    chosen_.set(numbers_.of[at], step.completed());
    std::string text = chosen_.text(*state);
    const std::size_t bytes = text.size() + kEntryBytes;
    if (!tried_.insert(std::move(text)).second) {
      chosen_.clear(numbers_.of[at], step.completed());
      return entries_[entry].next;
    }
    memory_ += bytes;
    order_.push_back({entry, state_});
    state_ = *state;
    remaining_ -= step.completed();
    unlink(entry);
    if (entries_[entry].other != kNone) unlink(entries_[entry].other);
    return entries_[kHead].next;
  }

  std::size_t take_back() {
    const Choice last = order_.back();
    order_.pop_back();
    shared_ = std::min(shared_, order_.size());
    state_ = last.state;
    const std::size_t at = entries_[last.entry].step;
    chosen_.clear(numbers_.of[at], steps_[at].completed());
    remaining_ += steps_[at].completed();
    if (entries_[last.entry].other != kNone) link(entries_[last.entry].other);
    link(last.entry);
    return entries_[last.entry].next;
  }

  void unlink(std::size_t entry) {
    const Entry& it = entries_[entry];
    entries_[it.before].next = it.next;
    if (it.next != kNone) entries_[it.next].before = it.before;
  }

  void link(std::size_t entry) {
    const Entry& it = entries_[entry];
    entries_[it.before].next = entry;
    if (it.next != kNone) entries_[it.next].before = entry;
  }

  /// Copies only what changed since the last time, or long histories would take forever.
  void keep_longest(std::size_t blocked) {
    if (order_.size() <= result_.run.size() && result_.blocked) return;
    result_.run.resize(std::min(shared_, result_.run.size()));
    for (std::size_t at = result_.run.size(); at < order_.size(); ++at)
      result_.run.push_back(entries_[order_[at].entry].step);
    shared_ = order_.size();
    result_.blocked = blocked;
    result_.state = state_;
  }

  const std::vector<RegisterStep>& steps_;
  const SearchLimits& limits_;
  Numbers numbers_;
  std::size_t remaining_ = 0;  // steps that returned and have no place yet
  Chosen chosen_;
  std::vector<Entry> entries_;
  std::vector<Choice> order_;
  std::int32_t state_ = 0;
  std::unordered_set<std::string> tried_;
  std::size_t memory_ = 0;
  std::size_t shared_ = 0;  // how much of the order is as it was when the longest was kept
  SearchResult result_;
};

}  // namespace

std::optional<std::int32_t> after(const RegisterStep& step, std::int32_t state) {
  switch (step.kind) {
    case RegisterStep::Kind::read: return state == step.value ? std::optional(state) : std::nullopt;
    case RegisterStep::Kind::write: return step.value;
    case RegisterStep::Kind::remove: return 0;
    case RegisterStep::Kind::cas: {
      const bool meets = state == step.expected;
      if (!step.completed()) return meets ? step.value : state;
      if (meets != step.swapped) return std::nullopt;
      return meets ? step.value : state;
    }
  }
  return std::nullopt;
}

SearchResult search_order(const std::vector<RegisterStep>& steps, const SearchLimits& limits) {
  return Search(steps, limits).run();
}

}  // namespace lab::judge
