#pragma once
// Over direct_loop: nothing is kept for anybody, since each frame is sent until it is gone. A socket whose reader does not
// read takes nothing, and whoever comes after it in the room, or is in another room, or only wants its ping answered, waits.

#include "direct_loop.h"

namespace pubsub_fanout {

class BlockingSend : public DirectLoop {
 public:
  using DirectLoop::DirectLoop;

  void say(const MemberPtr& member, std::string_view text) override {
    for (const auto& listener : rooms_.of(member).members)
      listener->write_blocking(wire::message(0, text));
    member->write(wire::said(Said::ok));
  }
};

}  // namespace pubsub_fanout
