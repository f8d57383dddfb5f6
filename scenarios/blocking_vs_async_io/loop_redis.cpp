#include "loop_redis.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "infra/redis_connection.h"
#include "loop.h"

namespace blocking_vs_async_io {
namespace {

using lab::Error;
using lab::ErrorCode;
using lab::Happened;
using namespace std::chrono_literals;

constexpr Nanos kLimit = 1s;  // for an answer
constexpr Nanos kLookForLate = 100ms;

std::string hello(const lab::infra::RedisAddress& address) {
  std::string commands;
  const auto add = [&commands](std::initializer_list<std::string_view> words) {
    lab::infra::append_command(commands, {words.begin(), words.size()});
  };
  if (!address.user.empty()) {
    add({"AUTH", address.user, address.password});
  } else if (!address.password.empty()) {
    add({"AUTH", address.password});
  }
  if (address.database != 0) add({"SELECT", std::to_string(address.database)});
  return commands;
}

}  // namespace

LoopRedis::LoopRedis(asio::io_context& context, lab::infra::RedisAddress address)
    : context_(context),
      address_(std::move(address)),
      socket_(context),
      resolver_(context),
      clock_(context),
      incoming_(64 * 1024, '\0') {}

void LoopRedis::connect() {
  ++life_;
  link_ = Link::connecting;
  writing_ = false;
  replies_.emplace();
  asked_ = hello(address_);
  if (!address_.password.empty()) waiting_.push_back({[](const Reply&) {}, lab::now()});
  if (address_.database != 0) waiting_.push_back({[](const Reply&) {}, lab::now()});
  socket_ = asio::generic::stream_protocol::socket(context_);
  look_at_clock();
  if (!address_.unix_socket.empty())
    return connect_to(asio::local::stream_protocol::endpoint(address_.unix_socket));
  resolver_.async_resolve(address_.host, std::to_string(address_.port),
                          [this, life = life_](error_code error, const auto& found) {
                            if (life != life_) return;
                            if (error)
                              return fail(ErrorCode::refused, Happened::no, error.message());
                            connect_to(found.begin()->endpoint());
                          });
}

void LoopRedis::connect_to(const asio::generic::stream_protocol::endpoint& endpoint) {
  socket_.async_connect(endpoint, [this, life = life_](error_code error) {
    if (life != life_) return;
    if (error) return fail(ErrorCode::refused, Happened::no, error.message());
    error_code ignored;  // a Unix socket has no such option
    socket_.set_option(tcp::no_delay(true), ignored);
    link_ = Link::up;
    read();
    write();
  });
}

void LoopRedis::command(std::initializer_list<std::string_view> words, Done done) {
  if (link_ == Link::down) connect();
  waiting_.push_back({std::move(done), lab::now()});
  lab::infra::append_command(asked_, {words.begin(), words.size()});
  if (link_ == Link::connecting || flushing_ || writing_) return;
  flushing_ = true;
  // Behind everything that the kernel has for this turn: the commands of those connections come along.
  asio::post(context_, [this] {
    flushing_ = false;
    if (!writing_) write();
  });
}

void LoopRedis::write() {
  if (link_ != Link::up || asked_.empty()) return;
  outgoing_.clear();
  std::swap(outgoing_, asked_);
  writing_ = true;
  asio::async_write(socket_, asio::buffer(outgoing_),
                    [this, life = life_](error_code error, std::size_t) {
                      if (life != life_ || error == asio::error::operation_aborted) return;
                      writing_ = false;
                      if (error) return fail(ErrorCode::closed, Happened::unknown, error.message());
                      write();
                    });
}

void LoopRedis::read() {
  socket_.async_read_some(
      asio::buffer(incoming_), [this, life = life_](error_code error, std::size_t size) {
        if (life != life_ || error == asio::error::operation_aborted) return;
        if (error) return fail(ErrorCode::closed, Happened::unknown, error.message());
        if (!replies_->feed({incoming_.data(), size}))
          return fail(ErrorCode::protocol, Happened::unknown, "answers that make no sense");
        deliver();
        if (life == life_) read();
      });
}

void LoopRedis::deliver() {
  std::vector<Reply> replies;
  const auto taken = replies_->take(waiting_.size(), replies);
  for (auto& reply : replies) {
    const Done done = std::move(waiting_.front().done);
    waiting_.pop_front();
    done(std::move(reply));
  }
  if (!taken) fail(ErrorCode::protocol, Happened::unknown, "answers that make no sense");
}

void LoopRedis::look_at_clock() {
  clock_.expires_after(kLookForLate);
  clock_.async_wait([this](error_code stopped) {
    if (stopped || link_ == Link::down) return;
    if (!waiting_.empty() && lab::now() - waiting_.front().asked > kLimit) {
      const bool sent = link_ == Link::up;
      return fail(ErrorCode::timeout, sent ? Happened::unknown : Happened::no,
                  sent ? "no answer in time" : "no connection in time");
    }
    look_at_clock();
  });
}

void LoopRedis::fail(ErrorCode code, Happened happened, const std::string& why) {
  link_ = Link::down;
  ++life_;
  writing_ = false;
  error_code ignored;
  resolver_.cancel();
  socket_.close(ignored);
  clock_.cancel();
  asked_.clear();
  for (auto& waiting : std::exchange(waiting_, {}))
    waiting.done(Error{code, happened, "Redis at " + address_.display() + ": " + why});
}

}  // namespace blocking_vs_async_io
