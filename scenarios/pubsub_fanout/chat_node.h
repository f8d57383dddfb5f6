#pragma once
// The subject: one node of the chat. A node has members, one a connection; whatever somebody says in a room, everybody in
// that room hears, on whichever node they are.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "infra/redis_client.h"
#include "net/event_loop.h"
#include "net/web_socket_server.h"

namespace pubsub_fanout {

using lab::Nanos;
using lab::net::SharedFrames;

/// The place of a message in its room: 1, 2, 3 … 0: the variant knows none.
using Position = std::uint64_t;

/// Which counting a place is of. Drawn at random when a room begins to count, also when it begins anew because its messages
/// are lost: places of two epochs have nothing to do with each other.
using Epoch = std::uint64_t;

/// Everything up to here has been heard.
struct Bookmark {
  Epoch epoch = 0;
  Position last = 0;
};

/// What a node may keep for one connection that does not read. Above it, its messages are dropped and it is told, or it
/// is sent away.
inline constexpr std::size_t kMostWaiting = 64 * 1024;
/// What a node may keep for a Redis that takes nothing, beside one message. Above it, what is said is refused.
inline constexpr std::size_t kMostUnsent = 256 * 1024;
/// What came of something said.
enum class Said { ok, no, maybe };

/// One connection, in one room.
class Member {
 public:
  virtual ~Member() = default;

  std::string user, room;
  std::optional<Bookmark> after;  // from an earlier connection
  bool mute = false;              // it speaks and does not listen; nobody sees it

  /// Into the socket at once; what it does not take, is kept without a limit.
  virtual void write(std::string_view frames) = 0;
  /// Goes out at the end of the turn, in one write with all that waits by then; kept without a limit.
  virtual void queue(SharedFrames frames) = 0;
  /// Into the socket; returns when it has taken all, and until then the node does nothing else.
  virtual void write_blocking(std::string_view frames) = 0;
  virtual std::size_t waiting_bytes() const = 0;
  virtual void send_away(std::string_view why) = 0;

  // A variant's notes.
  Position heard = 0;        // the last that was queued for it
  Position missed_from = 0;  // the first that it has missed
  bool behind = false;       // it does not hear what comes, but is to be brought up to it
  bool asking = false;
};
using MemberPtr = std::shared_ptr<Member>;

/// Everything on one thread, the loop's; no call should block. A member may be gone by the time that Redis answers, so
/// callbacks hold weak pointers.
class ChatNode {
 public:
  virtual ~ChatNode() = default;

  /// The member is in its room, and is told so by joined(): from there on it hears everything. With `after`, it is first
  /// told what was said since, or of the gap.
  virtual void join(const MemberPtr& member) = 0;
  virtual void leave(const MemberPtr& member) = 0;
  /// Answered by said(): `ok` when it will be heard, `no` when it will not, `maybe` when nobody knows.
  virtual void say(const MemberPtr& member, std::string_view text) = 0;
  /// Answered by present(): who is in the member's room, or that nobody knows.
  virtual void who(const MemberPtr& member) = 0;
  /// All that waited for the member has gone out.
  virtual void drained(const MemberPtr& /*member*/) {}
};

/// What a node is made of.
struct NodeTools {
  lab::net::EventLoop& loop;
  std::string name;                  // of the node: "n2"
  lab::infra::RedisAddress redis{};  // for variants that meet there
};

}  // namespace pubsub_fanout
