#pragma once
// Waiting for a socket.

#include "infra/deadline.h"

namespace lab::infra {

/// True when the socket is ready for `events` (POLLIN, POLLOUT) or broken, false when the deadline
/// passed first. A signal does not end the wait.
bool wait_until_ready(int socket, short events, const Deadline& deadline);

}  // namespace lab::infra
