#include "net/slow_peers.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/stop.h"
#include "net/http_load.h"
#include "net/loopback.h"

namespace lab::net {
namespace {

using Manner = SlowPeersOptions::Manner;

struct Peer {
  int socket = -1;
  std::size_t sent = 0;  // of its current request
  std::uint64_t sent_in_all = 0;
  Instant last_sent{};
};

/// A head that begins like any other and never ends.
char dribbled(std::size_t at) {
  static const std::string kBegin = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";
  return at < kBegin.size() ? kBegin[at] : 'z';
}

/// Connected, or -1 when the time is up or this process has no descriptor left.
int connect_to(int port, Instant deadline) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  if (connect_to_loopback(socket, port) != 0) {
    pollfd waiting{socket, POLLOUT, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (errno == EINPROGRESS && left > 0 && ::poll(&waiting, 1, static_cast<int>(left)) > 0)
      ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      ::close(socket);
      return -1;
    }
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace

struct SlowPeers::State {
  SlowPeersOptions options;
  Instant began = now();
  std::string request;
  std::vector<Peer> peers;  // the thread's own, once it runs
  std::vector<pollfd> watched;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  SlowPeersReport report;  // guarded by mutex
  int stop = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::thread thread;

  void run() {
    Instant next = now();
    while (true) {
      watch();
      const bool timed = options.manner == Manner::dribble;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now()).count();
      ::poll(watched.data(), watched.size(),
             timed ? static_cast<int>(std::max<std::int64_t>(left, 0)) : -1);
      if (watched.back().revents) return;
      for (std::size_t i = 0; i < peers.size(); ++i) {
        if (watched[i].revents & (POLLIN | POLLHUP | POLLERR | POLLRDHUP)) look_for_end(peers[i]);
        if (peers[i].socket >= 0 && (watched[i].revents & POLLOUT)) ask(peers[i]);
      }
      if (timed && now() >= next) {
        for (auto& peer : peers) dribble(peer);
        next += options.between_bytes;
      }
    }
  }

  void watch() {
    watched.clear();
    for (const auto& peer : peers) {
      short events = POLLRDHUP;
      // What is never read is there to read for ever, so that is not waited for.
      if (options.manner != Manner::never_read) events |= POLLIN;
      if (options.manner == Manner::never_read && peer.sent_in_all < options.most_bytes)
        events |= POLLOUT;
      watched.push_back({peer.socket, events, 0});
    }
    watched.push_back({stop, POLLIN, 0});
  }

  void dribble(Peer& peer) {
    if (peer.socket < 0) return;
    const char byte = dribbled(peer.sent);
    if (::send(peer.socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
      ++peer.sent;
      count_sent(peer, 1);
    } else if (errno != EAGAIN && errno != EINTR) {
      ended(peer);
    }
  }

  void ask(Peer& peer) {
    if (peer.sent == request.size()) peer.sent = 0;
    const ssize_t sent = ::send(peer.socket, request.data() + peer.sent, request.size() - peer.sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      peer.sent += static_cast<std::size_t>(sent);
      count_sent(peer, static_cast<std::uint64_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      ended(peer);
    }
  }

  void look_for_end(Peer& peer) {
    if (peer.socket < 0) return;
    if (options.manner == Manner::never_read) return ended(peer);  // hung up or reset
    char buffer[4096];
    const ssize_t got = ::recv(peer.socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) ended(peer);
  }

  void ended(Peer& peer) {
    ::close(peer.socket);
    peer.socket = -1;
    {
      const std::lock_guard lock(mutex);
      ++report.closed;
      report.longest_stall =
          std::max(report.longest_stall, now() - std::max(began, peer.last_sent));
    }
    changed.notify_all();
  }

  void count_sent(Peer& peer, std::uint64_t bytes) {
    peer.last_sent = now();
    peer.sent_in_all += bytes;
    const std::lock_guard lock(mutex);
    report.bytes_sent += bytes;
  }
};

SlowPeers::SlowPeers(const SlowPeersOptions& options) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.options = options;
  if (options.manner == Manner::never_read)
    state.request = request_bytes("POST", "/echo", std::string(options.body_bytes, 'x'));
  const Instant deadline = now() + options.connect_limit;
  for (std::size_t i = 0; i < options.peers && !stop_requested(); ++i) {
    const int socket = connect_to(options.port, deadline);
    if (socket < 0) break;
    state.peers.push_back({socket});
  }
  state.report.connected = state.peers.size();
  state.thread = std::thread([&state] { state.run(); });
}

SlowPeers::~SlowPeers() {
  const std::uint64_t one = 1;
  (void)!::write(state_->stop, &one, sizeof one);
  state_->thread.join();
  for (const auto& peer : state_->peers) {
    if (peer.socket >= 0) ::close(peer.socket);
  }
  ::close(state_->stop);
}

SlowPeersReport SlowPeers::report() const {
  const std::lock_guard lock(state_->mutex);
  return state_->report;
}

bool SlowPeers::wait_until_closed(Nanos limit) const {
  std::unique_lock lock(state_->mutex);
  const Instant deadline = now() + limit;
  while (state_->report.closed < state_->report.connected) {
    if (now() >= deadline || stop_requested()) return false;
    state_->changed.wait_until(lock, std::min(deadline, now() + 20ms));
  }
  return true;
}

}  // namespace lab::net
