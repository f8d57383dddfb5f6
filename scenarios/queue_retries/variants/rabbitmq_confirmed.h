#pragma once
// The same on RabbitMQ: a job is a message, accepted when the broker confirms that it is on disk, and gone when the worker
// acknowledges it. There is no lease to run out: the broker sees that the worker's connection is gone, and gives the
// job to another at once. A retry is a new message in a queue whose messages expire into the first one. Over
// streams_group it adds redelivery without waiting; it keeps no books that could be asked about a job.

#include "variants/lease_fenced.h"

namespace queue_retries {

/// Its queue is lab::queue::RabbitQueue. What decides there: put() waits for the broker's confirm of each message; move_on() has the
/// next attempt confirmed before the last one is acknowledged; connect() forgets what a lost connection held.
class RabbitmqConfirmed : public LeaseFenced {
 public:
  using LeaseFenced::LeaseFenced;
};

}  // namespace queue_retries
