#pragma once
// Adds back the thread of thought: the same loop, and the conversation reads like the blocking one. co_await is where
// another connection has its turn.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "loop.h"

namespace blocking_vs_async_io {

class CoroutineConversation : public Watched {
 public:
  using Watched::Watched;

  asio::awaitable<void> talk() {
    while (true) {
      while (const auto request = reader_.next()) {
        const Response response = co_await answer(*request);
        if (!co_await write(to_bytes(response)) || !response.keep_alive) co_return;
        expect_within(loop_.limits().request);
      }
      if (reader_.refused()) co_await write(to_bytes(reader_.refused()->response()));
      if (reader_.refused()) co_return;
      if (reader_.expects_continue()) co_await write(std::string(lab::net::kContinue));
      if (!co_await read()) co_return;
    }
  }

 private:
  asio::awaitable<bool> read() {
    if (reader_.idle()) expect_within(loop_.limits().idle);
    auto [error] =
        co_await socket_.async_wait(tcp::socket::wait_read, asio::as_tuple(asio::use_awaitable));
    if (error) co_return false;
    if (reader_.idle()) expect_within(loop_.limits().request);
    reader_.feed(loop_.take(socket_, error));
    co_return !error;
  }

  asio::awaitable<bool> write(std::string bytes) {
    expect_within(loop_.limits().send);
    const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(bytes),
                                                          asio::as_tuple(asio::use_awaitable));
    co_return !error;
  }

  /// The handler calls back, at once or later: this waits until it has.
  asio::awaitable<Response> answer(const Request& request) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
        [this, &request](auto resume) {
          const auto shared = std::make_shared<decltype(resume)>(std::move(resume));
          loop_.api().answer(request, [this, shared](Response response) {
            asio::post(loop_.context(), [shared, response = std::move(response)]() mutable {
              (*shared)(std::move(response));
            });
          });
        },
        asio::use_awaitable);
  }

  RequestReader reader_;
};

inline asio::awaitable<void> talk(tcp::socket socket, Loop& loop) {
  CoroutineConversation conversation(std::move(socket), loop);
  co_await conversation.talk();
}

inline void serve_coroutines(Loop& loop) {
  loop.serve([&loop](tcp::socket socket) {
    asio::co_spawn(loop.context(), talk(std::move(socket), loop), asio::detached);
  });
}

}  // namespace blocking_vs_async_io
