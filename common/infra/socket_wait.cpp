#include "infra/socket_wait.h"

#include <poll.h>

#include <cerrno>

namespace lab::infra {

bool wait_until_ready(int socket, short events, const Deadline& deadline) {
  pollfd entry{socket, events, 0};
  for (;;) {
    timespec left{};
    if (!deadline.never()) {
      const Nanos nanos = deadline.left();
      left = {nanos.count() / 1'000'000'000, nanos.count() % 1'000'000'000};
    }
    const int ready = ppoll(&entry, 1, deadline.never() ? nullptr : &left, nullptr);
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return true;  // the next use of the socket tells what is wrong
  }
}

}  // namespace lab::infra
