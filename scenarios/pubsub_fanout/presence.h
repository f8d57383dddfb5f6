#pragma once
// Who is in which room, over all nodes, in Redis: a set for each node and room that lives as long as the node says so. A
// node that dies stops saying so, and its members are gone with the set.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "redis_link.h"
#include "rooms.h"

namespace pubsub_fanout {

/// For the loop's thread.
class LeasedPresence {
 public:
  static constexpr lab::Nanos kLease = std::chrono::milliseconds(600);
  static constexpr lab::Nanos kRenew = kLease / 4;

  LeasedPresence(lab::net::EventLoop& loop, RedisLink& redis, Rooms& rooms, std::string node);
  ~LeasedPresence() { loop_.cancel(renewal_); }

  /// Nothing: Redis could not be asked.
  using Answer = std::function<void(const std::optional<std::vector<std::string>>& users)>;

  void enter(const MemberPtr& member);  // when it is in its room
  void left(const MemberPtr& member);   // when it is no more in its room
  /// Writes the node's sets anew: what was sent before may never have arrived.
  void write_all();
  void who(const std::string& room, Answer answer);

 private:
  void renew();
  void write(const std::string& room);
  std::string key(const std::string& room, const std::string& node) const {
    return "who:" + room + ":" + node;
  }

  lab::net::EventLoop& loop_;
  RedisLink& redis_;
  Rooms& rooms_;
  const std::string node_;
  lab::net::EventLoop::TimerId renewal_;
};

}  // namespace pubsub_fanout
