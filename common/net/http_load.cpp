#include "net/http_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "core/random.h"
#include "core/result.h"
#include "core/stop.h"

namespace lab::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr Nanos kBeforeNextTry = 5ms;  // after a connection that could not be made
constexpr Nanos kLookAround = 20ms;    // for a stop, and for answers that are overdue

class Client;

Failure no_descriptor(error_code error) {
  return Failure(Error{ErrorCode::exhausted, Happened::no,
                       "the load has no descriptor left: " + error.message()});
}

/// What the connections share; all on one thread.
struct Shared {
  const HttpLoad& load;
  HttpLoadResult result;
  asio::io_context context{1};
  Instant counted_from{}, end{};
  std::uint64_t next = 0;
  bool over = false;
  // Of an open loop: what is due and has no connection yet, and connections without work.
  std::deque<std::pair<std::uint64_t, Instant>> due;
  std::vector<Client*> idle;

  bool counts(Instant planned) const { return planned >= counted_from && planned < end; }
  void problem(std::string text) {
    if (result.first_problem.empty()) result.first_problem = std::move(text);
  }
};

class Client {
 public:
  explicit Client(Shared& shared)
      : shared_(shared), socket_(shared.context), timer_(shared.context) {}

  void connect() {
    reader_ = ResponseReader({.body_bytes = std::uint64_t{1} << 40});
    error_code ignored;
    socket_.close(ignored);
    state_ = State::connecting;
    asked_ = now();
    socket_.async_connect(
        {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(shared_.load.port)},
        [this, life = ++life_](error_code error) {
          if (shared_.over || life != life_) return;
          if (error == boost::system::errc::too_many_files_open ||
              error == boost::system::errc::too_many_files_open_in_system)
            throw no_descriptor(error);
          if (error) return not_connected(error.message());
          error_code none;
          socket_.set_option(tcp::no_delay(true), none);
          ready();
        });
  }

  /// An open loop hands it work.
  void ask(std::uint64_t number, Instant planned) {
    number_ = number;
    planned_ = planned;
    asked_ = now();
    state_ = State::asking;
    sending_ = shared_.load.request(number);
    write();
    read();
  }

  void look_at_clock(Instant time) {
    if (state_ == State::connecting && time - asked_ > shared_.load.timeout)
      return not_connected("no connection in time");
    if (state_ != State::asking || time - asked_ <= shared_.load.timeout) return;
    if (shared_.counts(planned_)) {
      ++shared_.result.timed_out;
      shared_.problem(fmt::format("request {} got no answer in time", number_));
    }
    connect();
  }

  /// The time is over.
  void give_up(Instant time) {
    if (state_ != State::asking || planned_ >= shared_.end) return;
    ++shared_.result.unanswered;
    shared_.result.unanswered_waited.record(time - std::max(planned_, shared_.counted_from));
  }

 private:
  enum class State { connecting, idle, asking };

  void ready() {
    state_ = State::idle;
    if (!shared_.load.requests_per_second) return ask(shared_.next++, now());
    if (shared_.due.empty()) {
      shared_.idle.push_back(this);
      return;
    }
    const auto [number, planned] = shared_.due.front();
    shared_.due.pop_front();
    ask(number, planned);
  }

  void write() {
    asio::async_write(socket_, asio::buffer(sending_),
                      [this, life = life_](error_code error, std::size_t) {
                        // A server may answer and close before it has read all: the answer tells more than this error.
                        (void)error, (void)life;
                      });
  }

  void read() {
    socket_.async_read_some(
        asio::buffer(incoming_), [this, life = life_](error_code error, std::size_t size) {
          if (shared_.over || life != life_) return;
          if (error) {
            reader_.end_of_stream();
          } else {
            reader_.feed({incoming_.data(), size});
          }
          const auto answer = reader_.next();
          if (answer) return answered(*answer, static_cast<bool>(error));
          if (error || !reader_.problem().empty())
            return cut(reader_.problem().empty() ? error.message() : reader_.problem());
          read();
        });
  }

  void answered(const Response& answer, bool closed) {
    const Instant time = now();
    if (shared_.counts(planned_) && time < shared_.end) {
      const std::string wrong = shared_.load.verify    ? shared_.load.verify(number_, answer)
                                : answer.status == 200 ? std::string()
                                                       : fmt::format("status {}", answer.status);
      if (wrong.empty()) {
        ++shared_.result.completed;
        shared_.result.latency.record(time - planned_);
      } else {
        ++shared_.result.wrong;
        shared_.problem(fmt::format("request {}: {}", number_, wrong));
      }
    }
    if (closed || !answer.keep_alive || !shared_.load.keep_alive) return connect();
    ready();
  }

  void cut(const std::string& why) {
    if (shared_.counts(planned_)) {
      ++shared_.result.cut;
      shared_.problem(fmt::format("request {}: {}", number_, why));
    }
    connect();
  }

  void not_connected(const std::string& why) {
    if (shared_.counts(asked_)) {
      ++shared_.result.unconnected;
      shared_.problem("cannot connect: " + why);
    }
    state_ = State::idle;
    ++life_;
    timer_.expires_after(kBeforeNextTry);
    timer_.async_wait([this](error_code error) {
      if (!error && !shared_.over) connect();
    });
  }

  Shared& shared_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  ResponseReader reader_;
  std::string sending_;
  std::uint64_t number_ = 0;
  Instant planned_{}, asked_{};
  State state_ = State::idle;
  std::uint64_t life_ = 0;  // counts connections: what an earlier one still reports is passed over
  std::array<char, 16 * 1024> incoming_;
};

class Loop {
 public:
  explicit Loop(const HttpLoad& load)
      : shared_{.load = load},
        clock_(shared_.context),
        arrivals_(shared_.context),
        random_(load.seed) {}

  HttpLoadResult run() {
    const Instant begin = now();
    shared_.counted_from = begin + shared_.load.warm_up;
    shared_.end = shared_.counted_from + shared_.load.duration;
    for (std::size_t i = 0; i < shared_.load.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(shared_));
      clients_.back()->connect();
    }
    look_at_clock();
    if (shared_.load.requests_per_second) {
      arrival_ = begin;
      next_arrival();
    }
    shared_.context.run();
    shared_.result.took = std::min(now(), shared_.end) - shared_.counted_from;
    return std::move(shared_.result);
  }

 private:
  void look_at_clock() {
    clock_.expires_at(std::min(now() + kLookAround, std::max(shared_.end, now())));
    clock_.async_wait([this](error_code) {
      const Instant time = now();
      if (time >= shared_.end || stop_requested()) return finish();
      for (const auto& client : clients_) client->look_at_clock(time);
      look_at_clock();
    });
  }

  void finish() {
    shared_.over = true;
    for (const auto& client : clients_) client->give_up(shared_.end);
    for (const auto& [number, planned] : shared_.due) {
      if (!shared_.counts(planned)) continue;
      ++shared_.result.unanswered;
      shared_.result.unanswered_waited.record(shared_.end - planned);
    }
    shared_.context.stop();
  }

  void next_arrival() {
    const double gap_s = -std::log(1 - random_.unit()) / *shared_.load.requests_per_second;
    arrival_ += Nanos(static_cast<std::int64_t>(gap_s * 1e9));
    arrivals_.expires_at(arrival_);
    arrivals_.async_wait([this](error_code) {
      if (shared_.over) return;
      const auto number = shared_.next++;
      if (shared_.idle.empty()) {
        shared_.due.emplace_back(number, arrival_);
      } else {
        Client* const client = shared_.idle.back();
        shared_.idle.pop_back();
        client->ask(number, arrival_);
      }
      next_arrival();
    });
  }

  Shared shared_;
  asio::steady_timer clock_, arrivals_;
  Random random_;
  Instant arrival_{};
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace

double HttpLoadResult::per_second() const {
  return took.count() > 0 ? static_cast<double>(completed) / seconds(took) : 0;
}

HttpLoadResult run_http_load(const HttpLoad& load) {
  try {
    return Loop(load).run();
  } catch (const boost::system::system_error& error) {  // the loop's own descriptors
    throw no_descriptor(error.code());
  }
}

std::string request_bytes(std::string_view method, std::string_view target, std::string_view body,
                          bool keep_alive) {
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, target);
  if (!body.empty())
    fmt::format_to(std::back_inserter(bytes), "Content-Length: {}\r\n", body.size());
  if (!keep_alive) bytes += "Connection: close\r\n";
  return bytes.append("\r\n").append(body);
}

}  // namespace lab::net
