#pragma once
// The same on Redis Streams: a stream as a queue. Its consumer group knows what each worker has read and not acknowledged (the
// pending entries), and since when: that is the lease. What is done is acknowledged and deleted; what has been pending for too
// long is taken from its worker (XCLAIM) for nobody, and from there by the next one that asks, before it reads what is new:
// added anew, it would wait behind all that waits. Priorities, delays, attempts and dead letters a stream does not have: the
// queue keeps them beside it. Over lease_fenced it adds the group's books in place of our own of who has what; it adds no log
// for others to read, because nothing stays in it.

#include "variants/lease_fenced.h"

namespace queue_retries {

/// Its queue is lab::queue::StreamsQueue. The Lua functions that decide are in common/queue/redis_queue_functions.cpp, in
/// kStreams: pop (XCLAIM, XREADGROUP), unlease (XACK, XDEL), expired (XPENDING IDLE).
class StreamsGroup : public LeaseFenced {
 public:
  using LeaseFenced::LeaseFenced;
};

}  // namespace queue_retries
