#pragma once
// The processes of a cluster: the executable again, in the role of a worker.

#include <vector>

#include "http_server.h"
#include "net/server_process.h"

namespace blocking_vs_async_io {

inline constexpr const char* kWorkerRole = "worker";

/// Binds the port and never listens, so that it stays ours and nobody is ever connected to this process.
class PortHolder {
 public:
  /// 0: the kernel chooses. Throws lab::Failure when it is taken.
  explicit PortHolder(int port);
  ~PortHolder();
  PortHolder(const PortHolder&) = delete;
  PortHolder& operator=(const PortHolder&) = delete;
  int port() const { return port_; }

 private:
  int socket_ = -1, port_ = 0;
};

class Workers {
 public:
  /// Returns when all of them accept. Throws lab::Failure when one cannot be started.
  Workers(const Service& service, int port, std::size_t count);
  /// Starts anew who dies, until `stop` is readable; then tells all to stop and waits for them.
  void run_until(int stop);

 private:
  lab::net::ServerOptions options_;
  std::vector<lab::net::ServerProcess> workers_;
};

}  // namespace blocking_vs_async_io
