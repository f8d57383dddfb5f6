#pragma once
// A WebSocket server (RFC 6455) on one event loop: it speaks the protocol, what the messages mean is its handler's.
// No extension, no subprotocol. It listens on 127.0.0.1.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/event_loop.h"
#include "net/web_socket_frames.h"

namespace lab::net {

struct WebSocketLimits {
  std::size_t message_bytes = 64 * 1024;       // a longer message, also in fragments: close 1009
  Nanos handshake = std::chrono::seconds(5);   // a request that is not whole by then: closed
  Nanos farewell = std::chrono::seconds(1);    // from a close frame, ours or theirs, to the end
  std::size_t owed_control_bytes = 16 * 1024;  // pongs to one that never reads them: closed
  int send_buffer = 0;                         // SO_SNDBUF of a connection; 0: the kernel's own
};

/// Frames, whole and ready to be sent; shared by all whom they are sent to.
using SharedFrames = std::shared_ptr<const std::string>;

class WebSocketServer;

/// One connection. Lives until WebSocketHandler::on_close() has returned.
class WebSocketPeer : EventLoop::Watcher {
 public:
  WebSocketPeer(WebSocketServer& server, int socket);
  ~WebSocketPeer() override;
  WebSocketPeer(const WebSocketPeer&) = delete;
  WebSocketPeer& operator=(const WebSocketPeer&) = delete;

  const std::string& target() const { return target_; }  // "/rooms/7?user=ann"

  /// Into the socket, at once; what it does not take is kept, copied, without a limit.
  void write(std::string_view frames);
  /// Goes out at the end of the loop's turn, in one write with whatever else waits by then. Kept without a limit: look at
  /// waiting_bytes() first.
  void queue(SharedFrames frames);
  /// Returns when the socket has taken all that waits, and these: as long as the other side does not read, nobody on this loop
  /// is served.
  void write_blocking(std::string_view frames);
  /// What the socket has not taken yet.
  std::size_t waiting_bytes() const { return waiting_bytes_; }

  /// Sends a close frame after what waits; the connection ends when the other side has answered, or has not in time.
  void close(std::uint16_t code, std::string_view reason);

  void* context = nullptr;  // the handler's

 private:
  friend class WebSocketServer;
  enum class State { handshake, open, closing, closed };

  void on_events(std::uint32_t events) override;
  void on_readable();
  void shake_hands(std::span<char> bytes);
  void take(std::span<char> bytes);
  bool on_message(const Message& message);
  void on_close_frame(std::string_view payload);
  void flush();
  bool send_waiting();
  void sent(std::size_t bytes);
  void send_last(std::string bytes);
  void linger();
  void end(std::uint16_t code);
  void update_interest();

  WebSocketServer& server_;
  int socket_;
  State state_ = State::handshake;
  bool close_sent_ = false;
  bool finish_ = false,
       linger_ = false;  // goes as soon as nothing waits; at once, or when the other side goes
  std::uint16_t ended_with_ = 1006;
  bool queued_ = false;    // in the server's list for the turn's end
  bool was_full_ = false;  // the socket did not take everything
  std::uint32_t interest_ = 0;
  std::string target_, request_;
  FrameReader reader_;
  std::deque<SharedFrames> waiting_;
  std::size_t waiting_bytes_ = 0, first_sent_ = 0;  // first_sent_: of waiting_.front()
  std::size_t owed_control_ = 0;
  EventLoop::TimerId timer_{};
};

/// Called on the loop's thread. A call may write to, queue for and close any peer.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;
  /// A request has come for this target: an HTTP status other than 101 refuses it.
  virtual int on_request(std::string_view /*target*/) { return 101; }
  virtual void on_open(WebSocketPeer& peer) = 0;
  virtual void on_message(WebSocketPeer& peer, const Message& message) = 0;  // text or binary
  /// Everything that waited has gone out: at the end of a turn in which something was queued, or later.
  virtual void on_drained(WebSocketPeer& /*peer*/) {}
  /// Of everyone for whom on_open() was called. code: the other side's, or ours, or 1006 when there was none.
  virtual void on_close(WebSocketPeer& peer, std::uint16_t code) = 0;
};

/// For the loop's thread.
class WebSocketServer : EventLoop::Watcher {
 public:
  /// Listens at once; port 0: one that the kernel chooses. Throws Failure when it cannot.
  WebSocketServer(EventLoop& loop, WebSocketHandler& handler, WebSocketLimits limits = {},
                  int port = 0);
  ~WebSocketServer() override;  // connections are dropped; the handler hears nothing more
  WebSocketServer(const WebSocketServer&) = delete;
  WebSocketServer& operator=(const WebSocketServer&) = delete;

  int port() const { return port_; }
  std::size_t connections() const { return peers_.size(); }

 private:
  friend class WebSocketPeer;
  void on_events(std::uint32_t events) override;
  void accept_some();
  void refuse_one();  // no descriptors left
  void flush_at_turn_end(WebSocketPeer& peer);
  void bury(WebSocketPeer& peer);  // gone at the end of the turn

  EventLoop& loop_;
  WebSocketHandler& handler_;
  const WebSocketLimits limits_;
  int listener_ = -1, spare_ = -1;  // spare_: a descriptor to turn somebody away with
  int port_ = 0;
  std::set<WebSocketPeer*> peers_;
  std::vector<WebSocketPeer*> to_flush_;
  bool flush_planned_ = false;
  std::vector<std::unique_ptr<WebSocketPeer>> dead_;
  std::vector<char> buffer_;
};

}  // namespace lab::net
