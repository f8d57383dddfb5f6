#include "harness/history.h"

#include <algorithm>

namespace lab::harness {

void History::append(const History& other) {
  const Nanos shift = other.zero_ - zero_;
  const auto first_client = static_cast<std::uint32_t>(logs_.size());
  for (const auto& log : other.logs_) {
    auto& moved = logs_.emplace_back(log);
    for (auto& op : moved) {
      op.planned += shift;
      op.invoked += shift;
      op.returned += shift;
      op.client += first_client;
    }
  }
}

std::size_t History::size() const {
  std::size_t total = 0;
  for (const auto& log : logs_) total += log.size();
  return total;
}

std::vector<Operation> History::sorted() const {
  std::vector<Operation> all;
  all.reserve(size());
  for (const auto& log : logs_) all.insert(all.end(), log.begin(), log.end());
  std::sort(all.begin(), all.end(),
            [](const Operation& a, const Operation& b) { return a.invoked < b.invoked; });
  return all;
}

void History::for_each(const std::function<void(const Operation&)>& visit) const {
  for (const auto& log : logs_) {
    for (const auto& op : log) visit(op);
  }
}

Histogram History::latencies(const Filter& filter) const {
  Histogram histogram;
  for_each([&](const Operation& op) {
    if (filter(op)) histogram.record(op.latency());
  });
  return histogram;
}

std::size_t History::count(const Filter& filter) const {
  std::size_t total = 0;
  for_each([&](const Operation& op) { total += filter(op) ? 1 : 0; });
  return total;
}

}  // namespace lab::harness
