#pragma once
// Hands entries of a room's history to its members, each place once and in order, and reads the history again to those who
// could not take them when they came. A member is never owed more than kMostWaiting and one message.

#include "history.h"
#include "wire.h"

namespace pubsub_fanout {

/// For the loop's thread.
class CatchUp {
 public:
  CatchUp(History& history, Rooms& rooms) : history_(history), rooms_(rooms) {}

  /// What is new, to everyone who is not behind.
  void hand_out(Room& room, const std::vector<Entry>& entries) {
    for (const auto& [place, text] : entries) {
      if (place <= room.last) continue;
      const SharedFrames frame = wire::share(wire::message(place, text));
      for (const auto& member : room.members) {
        if (member->behind || place <= member->heard) continue;
        const std::size_t waits = member->waiting_bytes();  // 0: idle, and takes any size
        member->behind = waits > 0 && waits + frame->size() > kMostWaiting;
        if (!member->behind) tell(member, place, frame);
      }
      room.last = place;
    }
  }

  /// A member that is behind hears the next entries, once it has read those before. Call it again when it has.
  void read_on(const MemberPtr& member) {
    if (!member->behind || member->asking || member->waiting_bytes() > 0) return;
    member->asking = true;
    history_.read(member->room, member->heard,
                  [this, to = std::weak_ptr(member)](const auto& entries) {
                    if (const auto back = to.lock()) on_read(back, entries);
                  });
  }

  /// Into the room. Who comes back hears on from its bookmark, if that is of this counting.
  void let_in(Room& room, const MemberPtr& member, Position last) {
    const auto& after = member->after;
    const bool lost = after && (after->epoch != room.epoch || after->last > last);
    if (lost) member->queue(wire::share(wire::gap(0, 0)));
    room.members.push_back(member);
    member->heard = after && !lost ? after->last : room.last;
    member->queue(wire::share(wire::joined(Bookmark{room.epoch, member->heard})));
    member->behind = member->heard < room.last;
  }

  /// Redis has been asked where the room stands; `before`: where it stood here then. When it has come back with less than it
  /// had, or with something else, everyone is told, and the room goes on from there.
  void go_on_from(const std::string& name, Bookmark stands, Position before) {
    Room& room = rooms_[name];
    const bool known = std::exchange(room.following, true);
    if (known && stands.epoch == room.epoch && stands.last >= before) return;
    if (known && stands.epoch == room.epoch) stands.epoch = history_.begin_epoch(name);
    room.epoch = stands.epoch;
    room.last = stands.last;
    for (const auto& member : room.members) {
      member->queue(wire::share(wire::gap(0, 0)));
      member->queue(wire::share(wire::joined(stands)));
      member->heard = stands.last;
    }
  }

 private:
  void on_read(const MemberPtr& member, const std::optional<std::vector<Entry>>& entries) {
    member->asking = false;
    if (!entries) return;  // Redis is away; whoever sees it again asks again
    for (const auto& [place, text] : *entries) {
      if (place <= member->heard) continue;  // the room has begun anew since it was asked
      if (member->waiting_bytes() > kMostWaiting) return;
      tell(member, place, wire::share(wire::message(place, text)));
    }
    const Position last = rooms_.of(member).last;
    if (entries->empty() && member->heard < last) say_gap(member, last);
    member->behind = member->heard < last;
  }

  void tell(const MemberPtr& member, Position place, const SharedFrames& frame) {
    if (place > member->heard + 1) say_gap(member, place - 1);
    member->queue(frame);
    member->heard = place;
  }

  void say_gap(const MemberPtr& member, Position last) {
    member->queue(wire::share(wire::gap(member->heard + 1, last)));
    member->heard = last;
  }

  History& history_;
  Rooms& rooms_;
};

}  // namespace pubsub_fanout
