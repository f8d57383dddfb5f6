#pragma once
// A room's history: a Redis stream whose entries are numbered 0-1, 0-2, 0-3 … by Redis itself (`XADD room 0-*`, Redis 7),
// so that a place is a number, the next place is one more, and a hole shows.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "redis_link.h"
#include "rooms.h"

namespace pubsub_fanout {

struct Entry {
  Position place = 0;
  std::string_view text;
};

/// For the loop's thread. Two links: one that asks, and one that waits for what is new.
class History {
 public:
  static constexpr std::string_view kKept = "8192";  // messages of a room, about
  static constexpr std::string_view kAtOnce =
      "32";  // read at once: the largest message may have 64 KiB
  static constexpr std::string_view kBlockMs =
      "50";  // after so long it asks again, for new rooms too
  static constexpr lab::Nanos kTryAgain = std::chrono::milliseconds(10);

  /// Nothing in `entries`: the read failed.
  using Entries = std::function<void(const std::optional<std::vector<Entry>>& entries)>;

  /// `on_up`: Redis can be asked (again). `on_new`: entries of a followed room that came after its `last`.
  History(lab::net::EventLoop& loop, const lab::infra::RedisAddress& address, Rooms& rooms,
          std::function<void()> on_up,
          std::function<void(Room& room, const std::vector<Entry>&)> on_new);
  ~History() { loop_.cancel(again_); }

  void append(const std::string& room, std::string_view text,
              std::function<void(Said, std::string_view why, Position at)> answer);
  /// From the one after `after`, oldest first, no more than kAtOnce.
  void read(const std::string& room, Position after, Entries entries);
  /// The place of the last entry, or 0, and its epoch, which lives as long as Redis keeps it. Nothing: it could not be had.
  void stands(const std::string& room, std::function<void(std::optional<Bookmark>)> answer);
  /// The room has lost entries: places are of a new epoch from now on.
  Epoch begin_epoch(const std::string& room);
  /// Waits for what is new in the rooms that are followed, unless it does already.
  void follow();

  RedisLink& link() { return commands_; }

 private:
  void on_entries(const lab::Result<RedisLink::Reply>& reply);

  lab::net::EventLoop& loop_;
  Rooms& rooms_;
  std::function<void(Room& room, const std::vector<Entry>&)> on_new_;
  bool waiting_ = false;
  lab::net::EventLoop::TimerId again_{};
  RedisLink commands_, news_;
};

}  // namespace pubsub_fanout
