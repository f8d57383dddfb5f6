#pragma once
// Naive: one node, and a loop over the room. Each member's frame is made anew, each goes out by itself, and whatever a
// socket does not take is kept in memory, however much that is.

#include "rooms.h"
#include "wire.h"

namespace pubsub_fanout {

class DirectLoop : public ChatNode {
 public:
  explicit DirectLoop(NodeTools) {}

  void join(const MemberPtr& member) override {
    rooms_.add(member);
    member->write(wire::joined({}));
  }

  void leave(const MemberPtr& member) override { rooms_.remove(member); }

  void say(const MemberPtr& member, std::string_view text) override {
    for (const auto& listener : rooms_.of(member).members) listener->write(wire::message(0, text));
    member->write(wire::said(Said::ok));
  }

  void who(const MemberPtr& member) override {
    member->write(wire::present(rooms_.of(member).names()));
  }

 protected:
  Rooms rooms_;
};

}  // namespace pubsub_fanout
