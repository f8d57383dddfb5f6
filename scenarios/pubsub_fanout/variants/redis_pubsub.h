#pragma once
// Many nodes: what is said goes through a Redis channel, and each node hands it to its own members. A channel remembers
// nothing: while a node has no connection, what is said is said to nobody there, and nobody is told. Over shared_payload:
// who does not read is sent away.

#include "redis_link.h"
#include "rooms.h"
#include "wire.h"

namespace pubsub_fanout {

class RedisPubsub : public ChatNode {
 public:
  explicit RedisPubsub(NodeTools tools)
      : commands_(tools.loop, tools.redis, [this] { enter_again(); }),
        channels_(
            tools.loop, tools.redis, [this] { enter_again(); },
            [this](const auto& push) { on_push(push); }) {}

  void join(const MemberPtr& member) override {
    if (member->mute) return member->queue(wire::share(wire::joined({})));
    Room& room = rooms_.of(member);
    if (room.following) return let_in(room, member);
    room.at_the_door.push_back(member);
    if (room.at_the_door.size() == 1) channels_.send({"SUBSCRIBE", member->room});
  }

  void leave(const MemberPtr& member) override {
    rooms_.remove(member);
    if (!member->mute) commands_.send({"SREM", "who:" + member->room, member->user});
  }

  void say(const MemberPtr& member, std::string_view text) override {
    commands_.say({"PUBLISH", member->room, text}, [to = std::weak_ptr(member)](const auto& done) {
      wire::tell(to, wire::said(said_of(done)));
    });
  }

  void who(const MemberPtr& member) override {
    commands_.send({"SMEMBERS", "who:" + member->room},
                   [to = std::weak_ptr(member)](const auto& names) {
                     wire::tell(to, wire::present(texts_of(names)));
                   });
  }

 private:
  void let_in(Room& room, const MemberPtr& member) {
    room.members.push_back(member);
    commands_.send({"SADD", "who:" + member->room, member->user});
    member->queue(wire::share(wire::joined({})));
  }

  void enter_again() {
    for (const auto& [name, room] : rooms_.all()) {
      channels_.send({"SUBSCRIBE", name});
      for (const auto& user : room.names()) commands_.send({"SADD", "who:" + name, user});
    }
  }

  void on_push(const RedisLink::Reply& push) {  // message CHANNEL TEXT, or subscribe CHANNEL
    Room& room = rooms_[push.items.at(1).text];
    if (push.items[0].text != "message") {
      room.following = true;
      for (const auto& member : std::exchange(room.at_the_door, {})) let_in(room, member);
      return;
    }
    const SharedFrames frame = wire::share(wire::message(0, push.items.at(2).text));
    for (const auto& listener : room.members) {
      if (listener->waiting_bytes() > kMostWaiting)
        listener->send_away("too slow");
      else
        listener->queue(frame);
    }
  }

  Rooms rooms_;
  RedisLink commands_, channels_;
};

}  // namespace pubsub_fanout
