#include "faults/proxy.h"

#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include "faults/connection.h"

namespace lab::faults {
namespace {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

std::string text(const Endpoint& endpoint) {
  if (!endpoint.unix_socket.empty()) return endpoint.unix_socket;
  return endpoint.host + ":" + std::to_string(endpoint.port);
}

/// Throws Failure.
Address resolve(asio::io_context& io, const Endpoint& endpoint) try {
  if (!endpoint.unix_socket.empty()) {
    return asio::local::stream_protocol::endpoint(endpoint.unix_socket);
  }
  asio::ip::tcp::resolver resolver(io);
  return resolver.resolve(endpoint.host, std::to_string(endpoint.port)).begin()->endpoint();
} catch (const boost::system::system_error& error) {
  throw Failure(Error{ErrorCode::invalid, Happened::no,
                      "no usable address: " + text(endpoint) + ": " + error.code().message()});
}

}  // namespace

class FaultProxy::Loop {
 public:
  explicit Loop(Options options)
      : options_(std::move(options)),
        random_(options_.seed),
        upstream_(resolve(io_, options_.upstream)),
        acceptor_(io_),
        again_(io_) {
    bind();
    listen();
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }

  /// Runs the function on the loop's thread and waits for its result.
  template <class Function>
  auto call(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    asio::post(io_, std::move(task));
    return result.get();
  }

  ~Loop() {
    call([this] {
      again_.cancel();
      acceptor_.close();
      reset_all();
    });
    keep_running_.reset();
    thread_.join();
    if (!options_.listen_unix_socket.empty()) ::unlink(options_.listen_unix_socket.c_str());
  }

  void set(const Damage& damage) {
    const bool refused_before = shared_.damage.refuse;
    shared_.damage = damage;
    if (damage.refuse && !refused_before) refuse();
    if (!damage.refuse && refused_before) listen_again();
    for (const auto& connection : open_connections()) connection->refresh();
  }

  std::size_t reset_all() {
    const auto connections = open_connections();
    for (const auto& connection : connections) connection->reset();
    shared_.counters.resets += connections.size();
    return connections.size();
  }

  const Shared& shared() const { return shared_; }
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  bool over_tcp() const { return options_.listen_unix_socket.empty(); }
  void bind();
  void listen();
  void accept();
  void on_accepted(error_code error, Socket client);
  void refuse();
  void listen_again();

  /// A copy: a connection that closes takes itself off the list.
  std::vector<std::shared_ptr<Connection>> open_connections() const {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [key, connection] : shared_.open) all.push_back(connection);
    return all;
  }

  const Options options_;
  const Random random_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_ = make_work_guard(io_);
  const Address upstream_;
  Endpoint endpoint_;
  Acceptor acceptor_;
  asio::steady_timer again_;
  Shared shared_;
  std::thread thread_;
};

// A port that bind(0) chose is given up by shutdown(), one that was named is kept (Linux, tcp.c:
// SOCK_BINDPORT_LOCK). refuse() needs to keep it: so ask for one, then name it.
void FaultProxy::Loop::bind() try {
  if (!over_tcp()) {
    const asio::local::stream_protocol::endpoint path(options_.listen_unix_socket);
    acceptor_.open(path.protocol());
    acceptor_.bind(path);
    endpoint_.unix_socket = options_.listen_unix_socket;
    return;
  }
  for (int attempt = 1;; ++attempt) {
    asio::ip::tcp::endpoint address(asio::ip::address_v4::loopback(), 0);
    address.port(asio::ip::tcp::acceptor(io_, address).local_endpoint().port());
    acceptor_.open(address.protocol());
    // listen_again() may not trip over connections of this port that are still open.
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    error_code error;
    acceptor_.bind(address, error);
    endpoint_.port = address.port();
    if (!error) return;
    acceptor_.close();
    if (attempt == 10) throw boost::system::system_error(error);
  }
} catch (const boost::system::system_error& error) {
  throw Failure(Error{ErrorCode::unavailable, Happened::no,
                      "the proxy cannot listen on " +
                          (over_tcp() ? "127.0.0.1" : options_.listen_unix_socket) + ": " +
                          error.code().message()});
}

void FaultProxy::Loop::listen() {
  acceptor_.listen(asio::socket_base::max_listen_connections);
}

void FaultProxy::Loop::accept() {
  acceptor_.async_accept(
      [this](error_code error, Socket client) { on_accepted(error, std::move(client)); });
}

void FaultProxy::Loop::on_accepted(error_code error, Socket client) {
  if (error == asio::error::operation_aborted || shared_.damage.refuse) return;
  if (error) {  // out of descriptors, most likely: not at full speed
    again_.expires_after(10ms);
    again_.async_wait([this](error_code cancelled) {
      if (!cancelled) accept();
    });
    return;
  }
  const auto number = ++shared_.counters.accepted;
  auto connection =
      std::make_shared<Connection>(std::move(client), shared_, random_.stream(number));
  shared_.open.emplace(connection.get(), connection);
  connection->connect(upstream_);
  accept();
}

// A TCP socket that no longer listens keeps its port, so that nobody else can take it meanwhile; a
// Unix socket cannot listen twice, but its path stays. Either way a connect is refused.
void FaultProxy::Loop::refuse() {
  again_.cancel();
  if (!over_tcp()) return acceptor_.close();
  acceptor_.cancel();
  ::shutdown(acceptor_.native_handle(), SHUT_RD);
}

void FaultProxy::Loop::listen_again() {
  if (!over_tcp()) {
    ::unlink(options_.listen_unix_socket.c_str());
    bind();
  }
  listen();
  accept();
}

FaultProxy::FaultProxy(Options options) : loop_(std::make_unique<Loop>(std::move(options))) {}
FaultProxy::~FaultProxy() = default;

Endpoint FaultProxy::endpoint() const {
  return loop_->endpoint();
}

void FaultProxy::set(Damage damage) {
  loop_->call([this, damage] { loop_->set(damage); });
}

Damage FaultProxy::damage() const {
  return loop_->call([this] { return loop_->shared().damage; });
}

std::size_t FaultProxy::reset_all() {
  return loop_->call([this] { return loop_->reset_all(); });
}

FaultProxy::Counters FaultProxy::counters() const {
  return loop_->call([this] { return loop_->shared().counters; });
}

}  // namespace lab::faults
