#pragma once
// One connection to Redis for all requests of an event loop. Commands that are asked for while the loop goes through what
// the kernel had for it leave in one write, and their answers come back in order: with many connections busy, a system call
// and a round trip are shared by all of them. This header brings in Asio.

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/clock.h"
#include "infra/redis_client.h"
#include "infra/redis_replies.h"

namespace blocking_vs_async_io {

/// For the loop's thread alone.
class LoopRedis {
 public:
  using Reply = lab::Result<lab::infra::RedisReply>;
  using Done = std::function<void(Reply)>;

  LoopRedis(boost::asio::io_context& context, lab::infra::RedisAddress address);

  /// `done` is called by the loop, never from within this call. Errors: refused (no) · closed, protocol (unknown) · timeout (unknown;
  /// no, when there was no connection yet) · invalid (Redis says so; no). After an error the connection is made anew at the next command. Nothing here waits, not even for a name or a
  /// connection: commands wait for it in their queue.
  void command(std::initializer_list<std::string_view> words, Done done);

 private:
  struct Waiting {
    Done done;
    lab::Instant asked;
  };

  enum class Link { down, connecting, up };

  void connect();
  void connect_to(const boost::asio::generic::stream_protocol::endpoint& endpoint);
  void write();
  void read();
  void deliver();
  void look_at_clock();
  void fail(lab::ErrorCode code, lab::Happened happened, const std::string& why);

  boost::asio::io_context& context_;
  const lab::infra::RedisAddress address_;
  boost::asio::generic::stream_protocol::socket socket_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer clock_;
  std::deque<Waiting> waiting_;
  std::string asked_, outgoing_;  // commands of this turn of the loop; what is being written
  std::string incoming_;
  std::optional<lab::infra::RedisReplies> replies_;
  std::uint64_t life_ = 0;  // counts connections: what an earlier one still reports is passed over
  Link link_ = Link::down;
  bool flushing_ = false, writing_ = false;
};

}  // namespace blocking_vs_async_io
