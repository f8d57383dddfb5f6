#pragma once
// A WebSocket client connection on an event loop (RFC 6455), made to be one of thousands in a process: it shares the loop's
// thread and one buffer with the others, and messages are not copied on their way.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "net/event_loop.h"
#include "net/web_socket_frames.h"

namespace lab::net {

/// What the clients of one loop share.
struct ClientCommons {
  EventLoop& loop;
  Random masks;  // RFC 6455, 5.3: not to be foreseen; seed it from the system
  std::vector<char> buffer;
  ClientCommons(EventLoop& on, std::size_t buffer_bytes = 256 * 1024);
};

struct ClientOptions {
  std::string host = "127.0.0.1";  // an address, no name
  int port = 0;
  std::string target = "/";
  int receive_buffer = 0;  // SO_RCVBUF; 0: the kernel's own
  std::size_t message_bytes = 16 * 1024 * 1024;
};

/// For the loop's thread.
class WebSocketClient : EventLoop::Watcher {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_open(WebSocketClient& client) = 0;
    /// text, binary or pong. The client may be reset or closed in here, and must not be destroyed.
    virtual void on_message(WebSocketClient& client, const Message& message) = 0;
    /// Once: it could not connect, or the connection has ended, except by reset(). `code`: the other side's, or 1006 when there was none.
    virtual void on_closed(WebSocketClient& client, std::uint16_t code, std::string_view why) = 0;
  };

  /// Connects; what comes of it, the listener is told, never from in here.
  WebSocketClient(ClientCommons& commons, const ClientOptions& options, Listener& listener);
  ~WebSocketClient() override;  // as reset(), without a word
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  bool is_open() const { return state_ == State::open; }
  /// Goes out at once; what the socket does not take, is kept. Nothing happens unless it is open.
  void send(Opcode opcode, std::string_view payload);
  /// The same for bytes of one's own making, which need not be a frame: for those who test a server.
  void send_raw(std::string_view bytes);
  std::size_t waiting_bytes() const { return unsent_.size(); }

  void read(bool on);                     // off: what the server sends piles up
  void close(std::uint16_t code = 1000);  // a close frame; on_closed() follows
  void reset();                           // RST, and no word to the listener

 private:
  enum class State { connecting, handshake, open, closed };
  void connect(const ClientOptions& options);
  void on_events(std::uint32_t events) override;
  void on_connected();
  void on_readable();
  void take(std::span<char> bytes);
  void read_answer(std::span<char> bytes);
  void flush();
  void end(std::uint16_t code, std::string_view why);
  void update_interest();

  ClientCommons& commons_;
  Listener& listener_;
  State state_ = State::connecting;
  int socket_ = -1;
  bool reading_ = true;
  std::uint32_t interest_ = 0;
  std::string target_, host_, key_;
  std::string answer_;  // of the handshake, while it is not whole
  std::string unsent_;
  FrameReader reader_;
  EventLoop::TimerId failed_{};
};

}  // namespace lab::net
