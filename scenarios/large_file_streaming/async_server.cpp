// One thread, one coroutine a connection: the frame around variants/async_chunked.h. What it does is what the blocking frame
// does; a timer stands in for the blocking calls' time limit.
#include <unistd.h>

#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/request_clock.h"
#include "net/server_process.h"
#include "server.h"
#include "variants/async_chunked.h"

namespace large_file_streaming {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using lab::net::Request;
using lab::net::RequestReader;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `open`: how many there are.
  Connection(tcp::socket socket, Site& site, const Patience& patience, std::size_t& open)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        site_(site),
        patience_(patience),
        open_(open) {
    prepare_socket(socket_.native_handle(), patience);
    ++open_;
  }
  ~Connection() { --open_; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  asio::awaitable<void> serve() {
    const auto self = shared_from_this();
    bool go_on = true;
    while (go_on) {
      const auto request = co_await next_request();
      if (!request) break;
      auto upload = site_.upload(*request);
      go_on = upload ? co_await receive(*request, *upload) : co_await answer(*request);
    }
    if (const auto& refused = reader_.refused())
      (void)co_await write(to_bytes(refused->response()));
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  asio::awaitable<bool> receive_some(Nanos limit) {
    if (limit <= Nanos{}) co_return false;
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error) self->socket_.cancel(ignored);
    });
    const auto [error, got] = co_await socket_.async_read_some(asio::buffer(input_), kAsTuple);
    timer_.cancel();
    if (error) co_return false;
    reader_.feed({input_.data(), got});
    co_return true;
  }

  asio::awaitable<std::optional<Request>> next_request() {
    clock_.begin();  // what came behind the last request may be the beginning of this one
    while (true) {
      if (auto request = reader_.next()) co_return request;
      const bool idle = reader_.idle();
      if (reader_.refused() || !co_await receive_some(idle ? patience_.idle : clock_.left()))
        co_return std::nullopt;
      if (idle) clock_.begin();
    }
  }

  asio::awaitable<bool> write(std::string bytes) {
    const auto [error, sent] = co_await asio::async_write(socket_, asio::buffer(bytes), kAsTuple);
    co_return !error;
  }

  template <class Take>
  asio::awaitable<bool> read_body(Take take) {
    if (reader_.expects_continue() && !co_await write(std::string(lab::net::kContinue)))
      co_return false;
    while (true) {
      const std::string piece = reader_.take_body();
      if (!piece.empty() && !take(piece)) co_return false;
      if (reader_.body_complete()) co_return true;
      clock_.body_came(piece.size());
      if (reader_.refused() || !co_await receive_some(std::min(patience_.body, clock_.left())))
        co_return false;
    }
  }

  asio::awaitable<bool> receive(const Request& request, Upload& upload) {
    Result<void> taken;
    const bool whole = co_await read_body([&](const std::string& piece) {
      taken = upload.take(piece);
      return taken.has_value();
    });
    if (!whole && taken) co_return false;
    Reply reply = Site::uploaded(request, taken ? upload.commit() : taken);
    co_return co_await write(std::move(reply.head)) && reply.keep_alive;
  }

  asio::awaitable<bool> answer(Request request) {
    const bool whole = co_await read_body([&](const std::string& piece) {
      request.body += piece;
      return request.body.size() <= kLargestBody;
    });
    if (!whole) co_return false;
    Reply reply = site_.reply(request);
    bool sent = co_await write(std::move(reply.head));
    if (sent && reply.file) {
      AsyncChunked download;
      const auto done = co_await download.send(reply.file.descriptor(), reply.slice, socket_);
      sent = done.has_value();
    }
    if (!sent) reset_on_close(socket_.native_handle());
    co_return sent&& reply.keep_alive;
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  Site& site_;
  const Patience patience_;
  std::size_t& open_;
  lab::net::RequestClock clock_{{patience_.request, kLeastRate}};
  RequestReader reader_{http_limits()};
  std::array<char, 64 * 1024> input_;
};

asio::awaitable<void> accept_all(tcp::acceptor& acceptor, Site& site, const Patience& patience,
                                 std::size_t& open) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
    if (error) {
      asio::steady_timer later(acceptor.get_executor(), std::chrono::milliseconds(20));
      co_await later.async_wait(kAsTuple);  // out of descriptors: some will be closed
      continue;
    }
    if (open == kMostConnections) {
      turn_away(socket.native_handle());
      continue;
    }
    auto connection = std::make_shared<Connection>(std::move(socket), site, patience, open);
    asio::co_spawn(
        acceptor.get_executor(),
        [connection]() -> asio::awaitable<void> { co_await connection->serve(); }, asio::detached);
  }
}

}  // namespace

void serve_async(File listener, Site& site, const Patience& patience) {
  std::size_t open = 0;  // outlives the connections
  asio::io_context context(1);
  tcp::acceptor acceptor(context, tcp::v4(), ::dup(listener.descriptor()));
  asio::posix::stream_descriptor stop(context, ::dup(lab::net::stop_descriptor()));
  stop.async_wait(asio::posix::stream_descriptor::wait_read, [&](auto) { context.stop(); });
  asio::co_spawn(context, accept_all(acceptor, site, patience, open), asio::detached);
  context.run();
}

}  // namespace large_file_streaming
