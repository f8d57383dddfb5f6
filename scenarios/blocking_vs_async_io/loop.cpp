#include "loop.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/error.hpp>

#include "core/result.h"
#include "net/loopback.h"

namespace blocking_vs_async_io {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kScratch = 64 * 1024;

}  // namespace

void listen_at(tcp::acceptor& acceptor, int port, bool shared) {
  if (!shared) {
    acceptor.assign(tcp::v4(), lab::net::listen_on_loopback(port).socket);
    return;
  }
  try {
    using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
    acceptor.open(tcp::v4());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.set_option(reuse_port(true));
    acceptor.bind({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)});
    acceptor.listen(kBacklog);
  } catch (const boost::system::system_error& problem) {
    throw lab::Failure(fmt::format("cannot listen: {}", problem.what()));
  }
}

Watched::Watched(tcp::socket socket, Loop& loop) : loop_(loop), socket_(std::move(socket)) {
  loop_.watched_.push_back(*this);
  ++loop_.service_.counters.connections;
}

Watched::~Watched() {
  --loop_.service_.counters.connections;
}

void Watched::cut() {
  error_code ignored;
  socket_.close(ignored);
}

Loop::Loop(const Service& service, const MakeSources& make)
    : service_(service),
      scratch_(kScratch),
      sources_(make(context_, service)),
      api_(*sources_.products, sources_.slow, service.counters),
      acceptor_(context_),
      clock_(context_),
      again_(context_),
      stop_(context_, ::dup(service.stop)) {}

Loop::~Loop() = default;

void Loop::listen(std::optional<int> shared_port) {
  listen_at(acceptor_, shared_port.value_or(service_.port), shared_port.has_value());
}

int Loop::port() const {
  return acceptor_.local_endpoint().port();
}

void Loop::serve(std::function<void(tcp::socket)> accepted) {
  accepted_ = std::move(accepted);
  stop_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
    if (!error) end();
  });
  accept();
  look_at_clock();
  context_.run();
  context_.restart();
  context_.poll();  // conversations that were cut end here
}

std::string_view Loop::take(tcp::socket& socket, error_code& error) {
  const std::size_t got = socket.read_some(asio::buffer(scratch_), error);
  if (error == asio::error::would_block) error = {};  // somebody was woken for nothing
  return {scratch_.data(), got};
}

void Loop::accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {
      // No descriptor left, most likely. Who waits stays in the kernel's queue; asking again at once would only burn the
      // processor, and giving up here is how such a server dies.
      again_.expires_after(kWithoutDescriptors);
      again_.async_wait([this](error_code stopped) {
        if (!stopped) accept();
      });
      return;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    accepted_(std::move(socket));
    accept();
  });
}

void Loop::look_at_clock() {
  clock_.expires_after(kLookEvery);
  clock_.async_wait([this](error_code stopped) {
    if (stopped) return;
    const Instant time = lab::now();
    for (auto next = watched_.begin(); next != watched_.end();) {
      Watched& watched = *next++;  // it may go
      if (watched.deadline_ <= time) watched.cut();
    }
    look_at_clock();
  });
}

void Loop::end() {
  error_code ignored;
  acceptor_.close(ignored);
  clock_.cancel();
  again_.cancel();
  for (auto next = watched_.begin(); next != watched_.end();) (next++)->cut();
  context_.stop();
}

}  // namespace blocking_vs_async_io
