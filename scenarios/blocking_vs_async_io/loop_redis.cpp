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
      clock_(context),
      incoming_(64 * 1024, '\0') {}

bool LoopRedis::connect() {
  error_code error;
  socket_ = asio::generic::stream_protocol::socket(context_);
  // A local server answers at once or not at all, so this one step waits.
  if (!address_.unix_socket.empty()) {
    socket_.connect(asio::local::stream_protocol::endpoint(address_.unix_socket), error);
  } else {
    tcp::resolver resolver(context_);
    const auto found = resolver.resolve(address_.host, std::to_string(address_.port), error);
    if (!error) socket_.connect(found.begin()->endpoint(), error);
    if (!error) {
      socket_.set_option(tcp::no_delay(true), error);
      error = {};
    }
  }
  if (error) return false;
  ++life_;
  connected_ = true;
  writing_ = false;
  replies_.emplace();
  const std::string first = hello(address_);
  if (!address_.password.empty()) waiting_.push_back({[](const Reply&) {}, lab::now()});
  if (address_.database != 0) waiting_.push_back({[](const Reply&) {}, lab::now()});
  asked_ = first;
  read();
  look_at_clock();
  return true;
}

void LoopRedis::command(std::initializer_list<std::string_view> words, Done done) {
  if (!connected_ && !connect()) {
    asio::post(context_, [done = std::move(done), at = address_.display()] {
      done(Error{ErrorCode::refused, Happened::no, "Redis at " + at + " cannot be reached"});
    });
    return;
  }
  waiting_.push_back({std::move(done), lab::now()});
  lab::infra::append_command(asked_, {words.begin(), words.size()});
  if (flushing_ || writing_) return;
  flushing_ = true;
  // Behind everything that the kernel has for this turn: the commands of those connections come along.
  asio::post(context_, [this] {
    flushing_ = false;
    if (!writing_) write();
  });
}

void LoopRedis::write() {
  if (!connected_ || asked_.empty()) return;
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
        if (connected_ && life == life_) read();
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
    if (stopped || !connected_) return;
    if (!waiting_.empty() && lab::now() - waiting_.front().asked > kLimit)
      return fail(ErrorCode::timeout, Happened::unknown, "no answer in time");
    look_at_clock();
  });
}

void LoopRedis::fail(ErrorCode code, Happened happened, const std::string& why) {
  connected_ = false;
  ++life_;
  writing_ = false;
  error_code ignored;
  socket_.close(ignored);
  clock_.cancel();
  asked_.clear();
  for (auto& waiting : std::exchange(waiting_, {}))
    waiting.done(Error{code, happened, "Redis at " + address_.display() + ": " + why});
}

}  // namespace blocking_vs_async_io
