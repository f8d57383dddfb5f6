#pragma once
// A conversation over a blocking socket of Poco's: the two blocking variants differ in who calls it.

#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>

#include "http_server.h"

namespace blocking_vs_async_io {

/// The conversations of a server, each on a thread of its own. Thread-safe.
class Conversations {
 public:
  explicit Conversations(const Service& service) : service_(service) {}
  /// Reads a request, answers it, and so on, until the peer has enough or a limit is over. Never throws.
  void converse(Poco::Net::StreamSocket socket);
  /// Ends those under way, and waits until they have ended.
  void hang_up();

 private:
  const Service& service_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::list<Poco::Net::StreamSocket> open_;
  bool hanging_up_ = false;
};

/// Listens on the service's port and says so.
Poco::Net::ServerSocket listen_blocking(const Service& service);

/// The next connection, for as long as the service is not to stop; nothing then. Survives having no descriptor left.
std::optional<Poco::Net::StreamSocket> next_connection(Poco::Net::ServerSocket& listener,
                                                       const Service& service);

}  // namespace blocking_vs_async_io
