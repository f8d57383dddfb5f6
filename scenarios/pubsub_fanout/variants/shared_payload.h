#pragma once
// Over direct_loop: the frame is made once and shared by all who get it, and what a turn of the event loop owes to one
// socket goes out in one write. Who does not read is still owed everything.

#include "direct_loop.h"

namespace pubsub_fanout {

class SharedPayload : public DirectLoop {
 public:
  using DirectLoop::DirectLoop;

  void say(const MemberPtr& member, std::string_view text) override {
    const SharedFrames frame = wire::share(wire::message(0, text));
    for (const auto& listener : rooms_.of(member).members) listener->queue(frame);
    static const SharedFrames kOk = wire::share(wire::said(Said::ok));
    member->queue(kOk);
  }
};

}  // namespace pubsub_fanout
