#pragma once
// Adds the event loop: one thread for all connections. Nothing waits; each step says what is to happen when the kernel has
// something for it, and a slow peer is an entry in a list.
//
// The price: the conversation's thread of thought is cut into callbacks, and whatever blocks here blocks everybody.

#include <boost/asio/write.hpp>

#include "loop.h"

namespace blocking_vs_async_io {

class CallbackConversation : public Watched,
                             public std::enable_shared_from_this<CallbackConversation> {
 public:
  using Watched::Watched;

  void read() {
    if (reader_.idle()) expect_within(loop_.limits().idle);
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
      if (!error) self->take();
    });
  }

 private:
  void take() {
    if (reader_.idle()) expect_within(loop_.limits().request);
    error_code error;
    reader_.feed(loop_.take(socket_, error));
    if (!error) answer_next();  // else the peer has said all it had to say
  }

  void answer_next() {
    if (const auto request = reader_.next()) {
      return loop_.api().answer(*request, [self = shared_from_this()](const Response& response) {
        self->write(to_bytes(response), response.keep_alive);
      });
    }
    if (reader_.refused()) return write(to_bytes(reader_.refused()->response()), false);
    if (reader_.expects_continue()) return write(std::string(lab::net::kContinue), true);
    read();
  }

  void write(std::string bytes, bool keep_alive) {
    outgoing_ = std::move(bytes);
    expect_within(loop_.limits().send);
    asio::async_write(socket_, asio::buffer(outgoing_),
                      [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
                        if (error || !keep_alive) return;
                        self->expect_within(self->loop_.limits().request);
                        self->answer_next();
                      });
  }

  RequestReader reader_;
  std::string outgoing_;
};

inline void serve_callbacks(Loop& loop) {
  loop.serve([&loop](tcp::socket socket) {
    std::make_shared<CallbackConversation>(std::move(socket), loop)->read();
  });
}

inline void async_callbacks(const Service& service) {
  Loop loop(service, never_waiting);
  loop.listen();
  service.listening(loop.port());
  serve_callbacks(loop);
}

}  // namespace blocking_vs_async_io
