// A thread a connection, with blocking calls: the frame around the variants that are a loop.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "net/request_clock.h"
#include "net/server_process.h"
#include "server.h"

namespace large_file_streaming {
namespace {

using lab::net::Request;
using lab::net::RequestReader;

class SocketPeer : public Peer {
 public:
  explicit SocketPeer(int socket) : socket_(socket) {}
  Result<void> write(std::span<const char> bytes) override {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN) {
        return peer_gone();
      } else if (auto room = wait_for_room(); !room) {
        return room;
      }
    }
    return {};
  }
  int socket() const override { return socket_; }
  /// The kernel's timer (TCP_USER_TIMEOUT) ends this wait, too.
  Result<void> wait_for_room() override {
    pollfd waiting{socket_, POLLOUT, 0};
    while (::poll(&waiting, 1, -1) < 0) {
      if (errno != EINTR) return peer_gone();
    }
    return {};
  }
  /// While it is in, only full packets leave: head, chunks and file share them.
  void cork(bool in) {
    const int on = in ? 1 : 0;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  }

 private:
  const int socket_;
};

/// Frames what is written as chunks (RFC 9112, section 7.1). No last chunk, no whole body: that is how the other side
/// knows.
class ChunkedPeer : public Peer {
 public:
  explicit ChunkedPeer(SocketPeer& inner) : inner_(inner) {}
  Result<void> write(std::span<const char> bytes) override {
    if (bytes.empty()) return {};
    if (auto sent = inner_.write(fmt::format("{:x}\r\n", bytes.size())); !sent) return sent;
    if (auto sent = inner_.write(bytes); !sent) return sent;
    return inner_.write(std::string_view("\r\n"));
  }
  Result<void> finish() { return inner_.write(std::string_view("0\r\n\r\n")); }
  int socket() const override { return inner_.socket(); }
  Result<void> wait_for_room() override { return inner_.wait_for_room(); }

 private:
  SocketPeer& inner_;
};

class BlockingConnection {
 public:
  BlockingConnection(int socket, Site& site, Download& download, const Patience& patience)
      : socket_(socket), peer_(socket), site_(site), download_(download), patience_(patience) {
    prepare_socket(socket, patience);
  }

  void serve() {
    while (const auto request = next_request()) {
      auto upload = site_.upload(*request);
      if (!(upload ? receive(*request, *upload) : answer(*request))) return;
    }
    if (const auto& refused = reader_.refused()) (void)peer_.write(to_bytes(refused->response()));
  }

 private:
  /// False: nothing more comes, or not in time.
  bool receive_some(Nanos limit) {
    if (limit <= Nanos{}) return false;
    pollfd waiting{socket_, POLLIN, 0};
    const auto limit_ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
    int ready = 0;
    do {
      ready = ::poll(&waiting, 1, static_cast<int>(limit_ms));
    } while (ready < 0 && errno == EINTR);
    const ssize_t got = ready > 0 ? ::recv(socket_, input_.data(), input_.size(), 0) : 0;
    if (got <= 0) return false;
    reader_.feed({input_.data(), static_cast<std::size_t>(got)});
    return true;
  }

  std::optional<Request> next_request() {
    clock_.begin();  // what came behind the last request may be the beginning of this one
    while (true) {
      if (auto request = reader_.next()) return request;
      const bool idle = reader_.idle();
      if (reader_.refused() || !receive_some(idle ? patience_.idle : clock_.left()))
        return std::nullopt;
      if (idle) clock_.begin();
    }
  }

  /// Piece by piece, to its end; false when it does not come.
  template <class Take>
  bool read_body(const Take& take) {
    if (reader_.expects_continue() && !peer_.write(lab::net::kContinue)) return false;
    while (true) {
      const std::string piece = reader_.take_body();
      if (!piece.empty() && !take(piece)) return false;
      if (reader_.body_complete()) return true;
      clock_.body_came(piece.size());
      if (reader_.refused() || !receive_some(std::min(patience_.body, clock_.left()))) return false;
    }
  }

  bool receive(const Request& request, Upload& upload) {
    Result<void> taken;
    const bool whole = read_body([&](const std::string& piece) {
      taken = upload.take(piece);
      return taken.has_value();
    });
    if (!whole && taken) return false;  // what came is forgotten
    const Reply reply = Site::uploaded(request, taken ? upload.commit() : taken);
    return peer_.write(reply.head) && reply.keep_alive;
  }

  bool answer(Request request) {
    const bool whole = read_body([&](const std::string& piece) {
      request.body += piece;
      return request.body.size() <= kLargestBody;
    });
    if (!whole) return false;
    const Reply reply = site_.reply(request);
    const bool body = reply.file && (reply.gzip || reply.slice.length > 0);
    const bool sent = body ? send_file(reply) : peer_.write(reply.head).has_value();
    if (!sent) reset_on_close(socket_);  // the head has promised more
    return sent && reply.keep_alive;
  }

  bool send_file(const Reply& reply) {
    peer_.cork(true);
    const bool sent = peer_.write(reply.head) && send_body(reply);
    peer_.cork(false);
    return sent;
  }

  bool send_body(const Reply& reply) {
    if (!reply.gzip) return download_.send(reply.file.descriptor(), reply.slice, peer_).has_value();
    ChunkedPeer chunks(peer_);
    return download_.send_gzip(reply.file.descriptor(), reply.slice, chunks) && chunks.finish();
  }

  const int socket_;
  SocketPeer peer_;
  Site& site_;
  Download& download_;
  const Patience patience_;
  lab::net::RequestClock clock_{{patience_.request, kLeastRate}};
  RequestReader reader_{http_limits()};
  std::array<char, 64 * 1024> input_;
};

/// The sockets that are being served, so that a stop can end them.
class OpenSockets {
 public:
  bool add(int socket) {
    const std::lock_guard lock(mutex_);
    return sockets_.size() < kMostConnections && sockets_.insert(socket).second;
  }
  /// Closes it; under the lock, so that no other connection has its number while it is listed here.
  void close(File socket) {
    const std::lock_guard lock(mutex_);
    sockets_.erase(socket.descriptor());
    { const File closed = std::move(socket); }
    fewer_.notify_all();
  }
  void wait_for_fewer() {
    std::unique_lock lock(mutex_);
    fewer_.wait_for(lock, std::chrono::milliseconds(20));
  }
  void end_all() {
    std::unique_lock lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    fewer_.wait(lock, [this] { return sockets_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable fewer_;
  std::set<int> sockets_;
};

}  // namespace

void serve_blocking(const File& listener, Site& site, Download& download,
                    const Patience& patience) {
  OpenSockets open;
  pollfd events[] = {{listener.descriptor(), POLLIN, 0}, {lab::net::stop_descriptor(), POLLIN, 0}};
  while (true) {
    if (::poll(events, 2, -1) < 0) continue;
    if (events[1].revents != 0) break;
    File socket(::accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && (errno == EMFILE || errno == ENFILE)) open.wait_for_fewer();
    if (!socket) continue;
    if (!open.add(socket.descriptor())) {
      turn_away(socket.descriptor());
      continue;
    }
    std::thread([&, connection = std::move(socket)]() mutable {
      BlockingConnection(connection.descriptor(), site, download, patience).serve();
      open.close(std::move(connection));
    }).detach();
  }
  open.end_all();
}

}  // namespace large_file_streaming
