#pragma once
// Over shared_payload: messages have places, and a member for whom too much waits gets no more. When it has read all of
// that, it is told which places it has missed, and goes on. The same for one who comes back: there is no history here.

#include "direct_loop.h"

namespace pubsub_fanout {

class SlowConsumerBounded : public DirectLoop {
 public:
  using DirectLoop::DirectLoop;

  void join(const MemberPtr& member) override {
    rooms_.add(member);
    const Position last = rooms_.of(member).last;
    if (member->after && member->after->epoch != epoch_)  // the node has begun to count anew
      member->queue(wire::share(wire::gap(0, 0)));
    else if (member->after && member->after->last < last)
      member->queue(wire::share(wire::gap(member->after->last + 1, last)));
    member->queue(wire::share(wire::joined(Bookmark{epoch_, last})));
  }

  void say(const MemberPtr& member, std::string_view text) override {
    Room& room = rooms_.of(member);
    const Position place = ++room.last;
    const SharedFrames frame = wire::share(wire::message(place, text));
    for (const auto& listener : room.members) {
      if (listener->missed_from != 0) continue;
      const std::size_t waits = listener->waiting_bytes();  // 0: idle, and takes any size
      if (waits > 0 && waits + frame->size() > kMostWaiting) {
        listener->missed_from = place;
      } else {
        listener->queue(frame);
      }
    }
    member->queue(wire::share(wire::said(Said::ok, "", place)));
  }

  void drained(const MemberPtr& member) override {
    if (member->missed_from == 0) return;
    member->queue(wire::share(wire::gap(member->missed_from, rooms_.of(member).last)));
    member->missed_from = 0;
  }

 private:
  const Epoch epoch_ = new_epoch();
};

}  // namespace pubsub_fanout
