#pragma once
// When a RabbitMQ that the lab starts tries again to pass on what has expired.

#include <chrono>

namespace lab::servers {

/// So long after a dead letter that no queue has confirmed, it is sent again. RabbitMQ's own value is three minutes: when a
/// broker restarts, its queues come up one by one, and what expires before the last one is there would wait for that.
inline constexpr std::chrono::milliseconds kDeadLetterAgain{1000};

}  // namespace lab::servers
