#pragma once
// Adds a bound: a pool of P threads (Poco's TCPServer) takes connections from a queue, so threads cost no more than P.
//
// A connection keeps its thread until it is closed. P peers that are slow have all of them, and the queue waits.

#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnection.h>
#include <Poco/ThreadPool.h>
#include <poll.h>

#include "blocking.h"

namespace blocking_vs_async_io {

class PooledConnection : public Poco::Net::TCPServerConnection {
 public:
  PooledConnection(const Poco::Net::StreamSocket& socket, Conversations& conversations)
      : TCPServerConnection(socket), conversations_(conversations) {}
  void run() override { conversations_.converse(socket()); }

 private:
  Conversations& conversations_;
};

class PooledConnections : public Poco::Net::TCPServerConnectionFactory {
 public:
  explicit PooledConnections(Conversations& conversations) : conversations_(conversations) {}
  Poco::Net::TCPServerConnection* createConnection(const Poco::Net::StreamSocket& socket) override {
    return new PooledConnection(socket, conversations_);  // Poco's to delete
  }

 private:
  Conversations& conversations_;
};

inline void fixed_blocking_pool(const Service& service) {
  Conversations conversations(service);
  Poco::ThreadPool pool(1, static_cast<int>(service.threads));
  Poco::Net::TCPServerParams::Ptr limits = new Poco::Net::TCPServerParams;
  limits->setMaxThreads(static_cast<int>(service.threads));  // here a slow peer keeps one of them
  limits->setMaxQueued(static_cast<int>(service.most_connections));
  Poco::Net::TCPServer server(new PooledConnections(conversations), pool, listen_blocking(service),
                              limits);
  server.start();
  pollfd waiting{service.stop, POLLIN, 0};
  while (::poll(&waiting, 1, -1) < 0) {
  }
  server.stop();
  conversations.hang_up();
}

}  // namespace blocking_vs_async_io
