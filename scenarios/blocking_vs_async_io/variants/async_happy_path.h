#pragma once
// The loop as tutorials have it: each call does all of its work, and nothing fails. A read brings the whole body, what is
// written is taken, accept has no errors, nobody goes away. It is right as long as every peer is quick, near and polite.

#include <unistd.h>

#include <array>
#include <deque>
#include <list>

#include <boost/asio/write.hpp>

#include "loop.h"

namespace blocking_vs_async_io {

class HappyConversation {
 public:
  HappyConversation(tcp::socket socket, HttpApi& api) : socket_(std::move(socket)), api_(api) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [this](error_code error, std::size_t got) {
      if (error) return;  // and the socket stays open
      reader_.feed({buffer_.data(), got});
      answer_all();
      read();  // have the answers before been taken? nobody asks
    });
  }

 private:
  void answer_all() {
    reader_.take_body();  // of the request before: what came too late
    while (auto request = reader_.next()) {
      request->body = reader_.take_body();  // what came together with the head
      api_.answer(*request, [this](const Response& response) { write(to_bytes(response)); });
    }
  }

  void write(std::string bytes) {
    waiting_.push_back(std::move(bytes));  // however much waits, and however long
    if (waiting_.size() == 1) write_next();
  }

  void write_next() {
    asio::async_write(socket_, asio::buffer(waiting_.front()), [this](error_code, std::size_t) {
      waiting_.pop_front();
      if (!waiting_.empty()) write_next();
    });
  }

  tcp::socket socket_;
  HttpApi& api_;
  std::array<char, 16 * 1024> buffer_;
  RequestReader reader_{{.stream_body = true}};
  std::deque<std::string> waiting_;
};

inline void accept_next(tcp::acceptor& door, std::list<HappyConversation>& all, HttpApi& api) {
  door.async_accept([&door, &all, &api](error_code error, tcp::socket socket) {
    if (error) return;  // and nobody accepts any more
    all.emplace_back(std::move(socket), api).read();
    accept_next(door, all, api);
  });
}

inline void async_happy_path(const Service& service) {
  asio::io_context context{1};
  std::list<HappyConversation> conversations;
  const Loop::Sources sources = never_waiting(context, service);
  HttpApi api(*sources.products, sources.slow, service.counters);
  tcp::acceptor acceptor(context);
  listen_at(acceptor, service.port);
  service.listening(acceptor.local_endpoint().port());
  accept_next(acceptor, conversations, api);
  asio::posix::stream_descriptor stop(context, ::dup(service.stop));
  stop.async_wait(asio::posix::stream_descriptor::wait_read, [&](error_code) { context.stop(); });
  context.run();
}

}  // namespace blocking_vs_async_io
