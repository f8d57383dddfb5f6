#pragma once
// What every asynchronous variant needs beside its idea: a listener that outlives a lack of descriptors, one clock that
// closes who is late, and an end. This header brings in Asio.

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include "core/clock.h"
#include "http_server.h"

namespace blocking_vs_async_io {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using lab::Instant;

/// Listens on a port of 127.0.0.1; 0: the kernel chooses. `shared`: others may listen on it, too. Throws lab::Failure.
void listen_at(tcp::acceptor& acceptor, int port, bool shared = false);

/// A connection, watched by the loop's clock while this exists. A timer of its own for each would cost more than the
/// connection does.
class Watched : public boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Watched(tcp::socket socket, class Loop& loop);
  ~Watched();
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 protected:
  void expect_within(Nanos limit) { deadline_ = lab::now() + limit; }
  class Loop& loop_;
  tcp::socket socket_;

 private:
  friend class Loop;
  void cut();  // what is under way fails
  Instant deadline_ = Instant::max();
};

/// One event loop, for one thread.
class Loop {
 public:
  /// The products of this loop; a slow call of it. Each may use the loop's context.
  struct Sources {
    std::unique_ptr<ProductSource> products;
    SlowCall slow;
  };
  using MakeSources = std::function<Sources(asio::io_context&, const Service&)>;

  Loop(const Service& service, const MakeSources& make);
  ~Loop();

  /// On the service's port, or on `port`, which others may share.
  void listen(std::optional<int> shared_port = {});
  int port() const;

  /// Calls it for every connection until the end; returns at the end.
  void serve(std::function<void(tcp::socket)> accepted);

  asio::io_context& context() { return context_; }
  HttpApi& api() { return api_; }
  const TimeLimits& limits() const { return service_.limits; }
  /// What is there to read now, into a buffer of the loop's, until the next call. So an idle connection costs no buffer.
  std::string_view take(tcp::socket& socket, error_code& error);

 private:
  friend class Watched;
  void accept();
  void look_at_clock();
  void end();

  const Service& service_;
  std::vector<char> scratch_;
  boost::intrusive::list<Watched, boost::intrusive::constant_time_size<false>> watched_;
  asio::io_context context_{1};  // what it still holds when it goes is watched
  Sources sources_;
  HttpApi api_;
  tcp::acceptor acceptor_;
  asio::steady_timer clock_, again_;
  asio::posix::stream_descriptor stop_;
  std::function<void(tcp::socket)> accepted_;
};

/// The sources of a loop that never waits: products from Redis over one connection that all requests of the loop share,
/// the slow call by a timer, as an asynchronous client would do it.
Loop::Sources never_waiting(asio::io_context& context, const Service& service);

}  // namespace blocking_vs_async_io
