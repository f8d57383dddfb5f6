#pragma once
// One client's connection through the proxy. Internal to the room: this header brings in Asio.
// Everything here runs on the proxy's one thread.

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/random.h"
#include "faults/proxy.h"

namespace lab::faults {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;
using Address = asio::generic::stream_protocol::endpoint;
using boost::system::error_code;

class Connection;

/// What the connections of a proxy share.
struct Shared {
  Damage damage;
  FaultProxy::Counters counters;
  std::map<Connection*, std::shared_ptr<Connection>> open;
};

/// One direction: bytes come in, are damaged, and go out, first in, first out. Holds at most
/// kBuffered bytes: when they are not taken away, it stops reading, and the sender feels it.
class Pipe {
 public:
  enum class Direction { up, down };

  Pipe(Connection& connection, Socket& from, Socket& to, Shared& shared, Direction direction,
       Random random);

  /// Goes on with whatever is possible now: after a change of the damage, and to begin with.
  void refresh();
  void cancel() { timer_.cancel(); }
  bool finished() const { return finished_; }

 private:
  enum class Kind { bytes, end_of_stream, broken };
  struct Item {
    Kind kind = Kind::bytes;
    std::vector<char> bytes;
    Instant arrived;
    double jitter = 0;  // in [-1, 1): this item's share of Damage::jitter
  };

  void read();
  void on_read(error_code error, std::size_t size);
  void take(const char* bytes, std::size_t size);
  void corrupt(std::vector<char>& bytes);
  void swallow();
  void forward();
  void pass_on_end(Kind kind);
  void write_some();
  void on_written(error_code error, Instant began);
  Instant due(const Item& item) const;

  Connection& connection_;
  Socket& from_;
  Socket& to_;
  Shared& shared_;
  const Direction direction_;
  /// Apart, so that how the bytes are cut up does not change the latter.
  Random jitter_, corruption_;
  asio::steady_timer timer_;
  std::vector<char> incoming_, outgoing_;
  std::deque<Item> items_;
  std::size_t buffered_ = 0;
  Instant not_before_{};  // the throttle's and the slicer's next moment
  bool reading_ = false, writing_ = false, ended_ = false, finished_ = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket client, Shared& shared, Random random);

  void connect(const Address& upstream);
  /// The damage has changed.
  void refresh();
  /// Both directions may be through: then the connection is closed.
  void close_when_finished();
  /// Closes both sides: with RST over TCP.
  void reset();

 private:
  enum class Upstream { connecting, connected, failed };
  void close();

  Socket client_, upstream_;
  Shared& shared_;
  Pipe up_, down_;
  Upstream state_ = Upstream::connecting;
};

}  // namespace lab::faults
