#include "blocking.h"

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "core/clock.h"
#include "core/result.h"
#include "net/request_clock.h"

namespace blocking_vs_async_io {
namespace {

using lab::Instant;
using lab::now;
using namespace std::chrono_literals;

Poco::Timespan timespan(Nanos time) {
  return Poco::Timespan(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

/// Until the socket has room for more, at the latest until the deadline. Poco's own poll() would make an epoll for each call,
/// and so need a descriptor more than the connection has.
void wait_for_room(int descriptor, Instant deadline) {
  const Nanos left = deadline - now();
  pollfd waiting{descriptor, POLLOUT, 0};
  const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  if (left <= 0ns || ::poll(&waiting, 1, static_cast<int>(left_ms)) == 0)
    throw Poco::TimeoutException("sending an answer");
}

// Poco's sendBytes goes on until all is sent, and its limit (SO_SNDTIMEO) begins anew with each part: a peer that takes a
// little now and then would hold the thread for ever. So the write and the wait are two calls, under one limit.
void send_all(const Poco::Net::StreamSocket& socket, std::string_view bytes, Nanos limit) {
  const Instant deadline = now() + limit;
  const int descriptor = socket.impl()->sockfd();
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      wait_for_room(descriptor, deadline);
    } else if (errno != EINTR) {
      throw Poco::IOException("the peer is gone");
    }
  }
}

/// How many requests were answered; nothing when the connection is to be closed.
std::optional<std::size_t> answer_all(Poco::Net::StreamSocket& socket, RequestReader& reader,
                                      HttpApi& api, Nanos limit) {
  std::size_t answered = 0;
  while (const auto request = reader.next()) {
    bool keep_alive = false;
    api.answer(*request, [&](const Response& response) {
      keep_alive = response.keep_alive;
      send_all(socket, to_bytes(response), limit);
    });
    if (!keep_alive) return std::nullopt;
    ++answered;
  }
  if (!reader.refused()) return answered;
  send_all(socket, to_bytes(reader.refused()->response()), limit);
  return std::nullopt;
}

void talk(Poco::Net::StreamSocket& socket, const Service& service) {
  socket.setNoDelay(true);
  const Nanos limit = service.limits.send;
  RequestReader reader;
  char buffer[4096];
  lab::net::RequestClock clock({service.limits.request});
  bool idle_limit = false;  // is it in force? a system call less for each request
  while (true) {
    const bool idle = reader.idle();
    if (!idle && clock.left() == 0ns) return;
    if (!idle || !idle_limit)
      socket.setReceiveTimeout(timespan(idle ? service.limits.idle : clock.left() + 1ms));
    idle_limit = idle;
    const int got = socket.receiveBytes(buffer, sizeof buffer);
    if (got <= 0) return;
    reader.feed({buffer, static_cast<std::size_t>(got)});
    const auto answered = answer_all(socket, reader, service.blocking, limit);
    if (!answered) return;
    // What is there of a request now began with these bytes, unless it is the one that had begun before.
    if (idle || *answered > 0) clock.begin();
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
