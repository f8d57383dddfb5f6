#pragma once
// Over redis_pubsub: rooms have a history in Redis with numbered places. A node that lost Redis reads on where it was; a
// member that comes back, or was too slow, is read to from where it was. What the history no longer has is a gap, and said.

#include "catch_up.h"
#include "history.h"
#include "presence.h"
#include "wire.h"

namespace pubsub_fanout {

class RedisStreamsResume : public ChatNode {
 public:
  explicit RedisStreamsResume(NodeTools tools)
      : history_(
            tools.loop, tools.redis, rooms_, [this] { look_again(); },
            [this](Room& room, const auto& entries) { catch_up_.hand_out(room, entries); }),
        catch_up_(history_, rooms_),
        presence_(tools.loop, history_.link(), rooms_, tools.name) {}

  void join(const MemberPtr& member) override {
    if (member->mute) return member->queue(wire::share(wire::joined({})));
    rooms_.of(member).at_the_door.push_back(member);
    look(member->room);
  }
  void leave(const MemberPtr& member) override {
    rooms_.remove(member);
    presence_.left(member);
  }
  void say(const MemberPtr& member, std::string_view text) override {
    history_.append(member->room, text, [to = std::weak_ptr(member)](Said what, auto why, auto at) {
      wire::tell(to, wire::said(what, why, at));
    });
  }
  void who(const MemberPtr& member) override {
    presence_.who(member->room, [to = std::weak_ptr(member)](const auto& users) {
      wire::tell(to, wire::present(users));
    });
  }
  void drained(const MemberPtr& member) override { catch_up_.read_on(member); }

 private:
  void look_again() {
    presence_.write_all();
    for (auto& [name, room] : rooms_.all()) look(name);
  }

  /// Where does the room stand? Then those who are at the door by now are let in.
  void look(const std::string& name) {
    const auto on_answer = [this, name, before = rooms_[name].last,
                            door = rooms_[name].at_the_door](std::optional<Bookmark> stands) {
      if (!stands) return;
      Room& room = rooms_[name];
      catch_up_.go_on_from(name, *stands, before);
      for (const auto& member : door) {
        if (std::erase(room.at_the_door, member) == 0) continue;
        catch_up_.let_in(room, member, stands->last);
        presence_.enter(member);
      }
      for (const auto& member : room.members) catch_up_.read_on(member);
      history_.follow();
    };
    history_.stands(name, on_answer);
  }

  Rooms rooms_;
  History history_;
  CatchUp catch_up_;
  LeasedPresence presence_;
};

}  // namespace pubsub_fanout
