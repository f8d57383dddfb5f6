#pragma once
// For comparison: publish and subscribe inside one process, no socket, no frame, nobody far away. Handing out is a call, so
// there is nothing to be lost and nothing to be resumed, and a slow subscriber makes everyone wait.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pubsub_fanout {

/// Thread-safe.
class EventBus {
 public:
  using Subscriber = std::function<void(std::string_view text)>;

  void subscribe(const std::string& topic, std::string name, Subscriber subscriber) {
    const std::lock_guard lock(mutex_);
    topics_[topic].push_back({std::move(name), std::move(subscriber)});
  }

  /// Everybody hears it before this returns, one message after the other: one order for all.
  void publish(const std::string& topic, std::string_view text) {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, subscriber] : topics_[topic]) subscriber(text);
  }

  std::vector<std::string> who(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, subscriber] : topics_[topic]) names.push_back(name);
    return names;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::pair<std::string, Subscriber>>> topics_;
};

}  // namespace pubsub_fanout
