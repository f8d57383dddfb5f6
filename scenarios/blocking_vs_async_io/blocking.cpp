#include "blocking.h"

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

#include "core/clock.h"
#include "core/result.h"

namespace blocking_vs_async_io {
namespace {

using lab::Instant;
using lab::now;
using namespace std::chrono_literals;

constexpr int kBacklog = 4096;
constexpr Nanos kWithoutDescriptors = 10ms;  // until one may have become free

Poco::Timespan timespan(Nanos time) {
  return Poco::Timespan(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

// Poco's sendBytes goes on until all is sent, and its limit (SO_SNDTIMEO) begins anew with each part: a peer that takes a
// little now and then would hold the thread for ever. So the wait and the write are two calls, under one limit.
void send_all(const Poco::Net::StreamSocket& socket, std::string_view bytes, Nanos limit) {
  const Instant deadline = now() + limit;
  while (!bytes.empty()) {
    const Nanos left = deadline - now();
    if (left <= 0ns || !socket.poll(timespan(left), Poco::Net::Socket::SELECT_WRITE))
      throw Poco::TimeoutException("sending an answer");
    const auto sent =
        ::send(socket.impl()->sockfd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) throw Poco::IOException("the peer is gone");
  }
}

/// False when the connection is to be closed.
bool answer_all(Poco::Net::StreamSocket& socket, RequestReader& reader, HttpApi& api, Nanos limit) {
  while (const auto request = reader.next()) {
    bool keep_alive = false;
    api.answer(*request, [&](const Response& response) {
      keep_alive = response.keep_alive;
      send_all(socket, to_bytes(response), limit);
    });
    if (!keep_alive) return false;
  }
  if (reader.refused()) send_all(socket, to_bytes(reader.refused()->response()), limit);
  return !reader.refused();
}

void talk(Poco::Net::StreamSocket& socket, const Service& service) {
  socket.setNoDelay(true);
  const Nanos limit = service.limits.send;
  RequestReader reader;
  char buffer[4096];
  Instant deadline{};  // of the request that has begun
  while (true) {
    const bool idle = reader.idle();
    if (!idle && now() > deadline) return;
    socket.setReceiveTimeout(timespan(idle ? service.limits.idle : deadline - now() + 1ms));
    const int got = socket.receiveBytes(buffer, sizeof buffer);
    if (got <= 0) return;
    if (idle) deadline = now() + service.limits.request;
    reader.feed({buffer, static_cast<std::size_t>(got)});
    if (!answer_all(socket, reader, service.blocking, limit)) return;
    if (reader.expects_continue()) send_all(socket, lab::net::kContinue, limit);
  }
}

}  // namespace

void Conversations::converse(Poco::Net::StreamSocket socket) {
  std::unique_lock lock(mutex_);
  if (hanging_up_) return;
  const auto place = open_.insert(open_.end(), socket);
  ++service_.counters.connections;
  lock.unlock();
  try {
    talk(socket, service_);
    socket.shutdownSend();
  } catch (const Poco::Exception&) {
    // The peer is gone, or took too long: either way there is nobody to tell.
  }
  lock.lock();
  --service_.counters.connections;
  open_.erase(place);
  socket = Poco::Net::StreamSocket();
  ended_.notify_all();
}

void Conversations::hang_up() {
  std::unique_lock lock(mutex_);
  hanging_up_ = true;
  for (auto& socket : open_) {
    try {
      socket.shutdown();
    } catch (const Poco::Exception&) {
      // It is gone already.
    }
  }
  ended_.wait(lock, [this] { return open_.empty(); });
}

Poco::Net::ServerSocket listen_blocking(const Service& service) {
  try {
    Poco::Net::ServerSocket listener;
    listener.bind(Poco::Net::SocketAddress("127.0.0.1", static_cast<Poco::UInt16>(service.port)),
                  true, false);
    listener.listen(kBacklog);
    service.listening(listener.address().port());
    return listener;
  } catch (const Poco::Exception& problem) {
    throw lab::Failure("cannot listen: " + problem.displayText());
  }
}

std::optional<Poco::Net::StreamSocket> next_connection(Poco::Net::ServerSocket& listener,
                                                       const Service& service) {
  while (true) {
    pollfd waiting[2]{{listener.impl()->sockfd(), POLLIN, 0}, {service.stop, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno == EINTR) continue;
    if (waiting[1].revents) return std::nullopt;
    try {
      return listener.acceptConnection();
    } catch (const Poco::Exception&) {
      // None left: those who wait stay in the kernel's queue. Asking again at once would only burn the processor.
      std::this_thread::sleep_for(kWithoutDescriptors);
    }
  }
}

}  // namespace blocking_vs_async_io
