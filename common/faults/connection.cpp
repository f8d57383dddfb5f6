#include "faults/connection.h"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace lab::faults {
namespace {

constexpr std::size_t kBuffered = 64 * 1024;  // per direction
constexpr std::size_t kReadSize = 16 * 1024;

// A throttled direction writes so much at once …
constexpr Nanos kThrottleStep = 5ms;
// … and makes up for timers that fired late by at most this much.
constexpr Nanos kThrottleCredit = 20ms;

Nanos time_for(std::size_t bytes, std::uint64_t bytes_per_second) {
  return Nanos(static_cast<Nanos::rep>(1e9 * static_cast<double>(bytes) /
                                       static_cast<double>(bytes_per_second)));
}

/// Without this, TCP would gather slices into larger segments. Unix sockets do not know it.
void send_small_pieces_at_once(Socket& socket) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
}

}  // namespace

Pipe::Pipe(Connection& connection, Socket& from, Socket& to, Shared& shared, Direction direction,
           Random random)
    : connection_(connection),
      from_(from),
      to_(to),
      shared_(shared),
      direction_(direction),
      jitter_(random.stream(1)),
      corruption_(random.stream(2)),
      timer_(from.get_executor()),
      incoming_(kReadSize) {}

void Pipe::refresh() {
  not_before_ = now();
  timer_.cancel();
  forward();
}

void Pipe::read() {
  if (reading_ || ended_ || buffered_ >= kBuffered) return;
  reading_ = true;
  from_.async_read_some(asio::buffer(incoming_),
                        [this, alive = connection_.shared_from_this()](
                            error_code error, std::size_t size) { on_read(error, size); });
}

void Pipe::on_read(error_code error, std::size_t size) {
  reading_ = false;
  if (error == asio::error::operation_aborted) return;
  if (error) {
    ended_ = true;
    const auto kind = error == asio::error::eof ? Kind::end_of_stream : Kind::broken;
    items_.push_back({kind, {}, now(), 0});
  } else {
    take(incoming_.data(), size);
  }
  forward();
}

void Pipe::take(const char* bytes, std::size_t size) {
  if (shared_.damage.blackhole) return;
  Item item{Kind::bytes, {bytes, bytes + size}, now(), 2 * jitter_.unit() - 1};
  if (direction_ == Direction::down) corrupt(item.bytes);
  buffered_ += size;
  items_.push_back(std::move(item));
}

void Pipe::corrupt(std::vector<char>& bytes) {
  const auto one_in = shared_.damage.corrupt_one_byte_in;
  if (one_in == 0) return;
  for (char& byte : bytes) {
    if (corruption_.below(one_in) != 0) continue;
    byte = static_cast<char>(byte ^ (1 << corruption_.below(8)));
    ++shared_.counters.bytes_corrupted;
  }
}

/// What waits here is lost; that the stream ended is remembered until the blackhole is lifted.
void Pipe::swallow() {
  std::erase_if(items_, [this](const Item& item) {
    buffered_ -= item.bytes.size();
    return item.kind == Kind::bytes;
  });
}

Instant Pipe::due(const Item& item) const {
  const auto jitter = Nanos(
      static_cast<Nanos::rep>(item.jitter * static_cast<double>(shared_.damage.jitter.count())));
  return item.arrived + std::max(Nanos{0}, shared_.damage.latency + jitter);
}

void Pipe::forward() {
  if (!from_.is_open() || finished_) return;
  if (shared_.damage.blackhole) swallow();
  read();
  if (shared_.damage.blackhole || writing_ || items_.empty()) return;
  const auto moment = std::max(due(items_.front()), not_before_);
  if (moment > now()) {
    timer_.expires_at(moment);
    timer_.async_wait([this, alive = connection_.shared_from_this()](error_code error) {
      if (!error) forward();
    });
    return;
  }
  if (items_.front().kind == Kind::bytes) return write_some();
  pass_on_end(items_.front().kind);
}

void Pipe::pass_on_end(Kind kind) {
  if (kind == Kind::broken) return connection_.reset();
  finished_ = true;
  error_code ignored;
  to_.shutdown(Socket::shutdown_send, ignored);
  connection_.close_when_finished();
}

void Pipe::write_some() {
  const auto& damage = shared_.damage;
  auto& bytes = items_.front().bytes;
  std::size_t size = bytes.size();
  if (damage.slice_bytes != 0) size = std::min(size, damage.slice_bytes);
  if (damage.bytes_per_second != 0) {
    const auto step = damage.bytes_per_second * kThrottleStep.count() / 1'000'000'000;
    size = std::min<std::size_t>(size, std::max<std::uint64_t>(1, step));
  }
  if (size == bytes.size()) {
    outgoing_ = std::move(bytes);
    items_.pop_front();
  } else {
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(size);
    outgoing_.assign(bytes.begin(), end);
    bytes.erase(bytes.begin(), end);
  }
  writing_ = true;
  // Counted before anybody can have received them.
  auto& counters = shared_.counters;
  (direction_ == Direction::up ? counters.bytes_up : counters.bytes_down) += size;
  asio::async_write(to_, asio::buffer(outgoing_),
                    [this, began = now(), alive = connection_.shared_from_this()](
                        error_code error, std::size_t) { on_written(error, began); });
}

void Pipe::on_written(error_code error, Instant began) {
  writing_ = false;
  if (error == asio::error::operation_aborted) return;
  if (error) return connection_.reset();
  const auto size = outgoing_.size();
  buffered_ -= size;
  const auto& damage = shared_.damage;
  if (damage.bytes_per_second != 0) {
    not_before_ =
        std::max(not_before_, began - kThrottleCredit) + time_for(size, damage.bytes_per_second);
  }
  if (damage.slice_bytes != 0) not_before_ = std::max(not_before_, began) + damage.slice_delay;
  forward();
}

Connection::Connection(Socket client, Shared& shared, Random random)
    : client_(std::move(client)),
      upstream_(client_.get_executor()),
      shared_(shared),
      up_(*this, client_, upstream_, shared, Pipe::Direction::up, random.stream(1)),
      down_(*this, upstream_, client_, shared, Pipe::Direction::down, random.stream(2)) {}

void Connection::connect(const Address& upstream) {
  upstream_.async_connect(upstream, [this, alive = shared_from_this()](error_code error) {
    if (error == asio::error::operation_aborted) return;
    state_ = error ? Upstream::failed : Upstream::connected;
    send_small_pieces_at_once(client_);
    send_small_pieces_at_once(upstream_);
    refresh();
  });
}

void Connection::refresh() {
  if (state_ == Upstream::failed && !shared_.damage.blackhole) {
    ++shared_.counters.unreachable;
    return reset();
  }
  if (state_ != Upstream::connected) return;
  up_.refresh();
  down_.refresh();
}

void Connection::close_when_finished() {
  if (up_.finished() && down_.finished()) close();
}

void Connection::reset() {
  const asio::socket_base::linger send_rst(true, 0);
  error_code ignored;
  client_.set_option(send_rst, ignored);
  upstream_.set_option(send_rst, ignored);
  close();
}

void Connection::close() {
  error_code ignored;
  up_.cancel();
  down_.cancel();
  client_.close(ignored);
  upstream_.close(ignored);
  shared_.open.erase(this);
}

}  // namespace lab::faults
