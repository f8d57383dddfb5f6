#include "workers.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "core/result.h"
#include "net/loopback.h"
#include "serving.h"

namespace blocking_vs_async_io {

PortHolder::PortHolder(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  port_ = lab::net::bind_to_loopback(socket_, port);
  if (port_ < 0) {
    ::close(socket_);
    throw lab::Failure("cannot have the port");
  }
}

PortHolder::~PortHolder() {
  ::close(socket_);
}

Workers::Workers(const Service& service, int port, std::size_t count)
    : options_{.orders = orders_of_worker(service, port), .role = kWorkerRole} {
  for (std::size_t i = 0; i < count; ++i) workers_.emplace_back(options_);
}

void Workers::run_until(int stop) {
  while (true) {
    std::vector<pollfd> waiting{{stop, POLLIN, 0}};
    for (auto& worker : workers_) waiting.push_back({worker.actor().ended_descriptor(), POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;  // a signal
    if (waiting.front().revents) break;
    for (auto& worker : workers_) {
      if (worker.ended()) worker = lab::net::ServerProcess(options_);
    }
  }
  for (auto& worker : workers_) worker.actor().terminate();
  for (auto& worker : workers_) worker.stop();
}

}  // namespace blocking_vs_async_io
