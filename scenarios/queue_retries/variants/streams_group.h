#pragma once
// The same on Redis Streams: a consumer group keeps what each worker has not acknowledged (its pending entries), and
// what has been pending for longer than the lease is taken over. Priorities, delays, attempts and dead letters a stream
// does not have: the queue keeps them beside it. Over lease_fenced it adds a log that other consumer groups could read.

#include "variants/lease_fenced.h"

namespace queue_retries {

/// Its queue is lab::queue::StreamsQueue.
class StreamsGroup : public LeaseFenced {
 public:
  using LeaseFenced::LeaseFenced;
};

}  // namespace queue_retries
