#include "exchange.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "net/loopback.h"

namespace blocking_vs_async_io {
namespace {

using lab::Error;
using lab::ErrorCode;
using lab::Happened;
using lab::Nanos;
using namespace std::chrono_literals;

constexpr Nanos kBetweenSignals = 200us;

Error failed(ErrorCode code, Happened happened, std::string_view what) {
  const bool late = errno == EAGAIN || errno == EINPROGRESS;
  return {late ? ErrorCode::timeout : code, happened,
          fmt::format("{}: {}", what, late ? "no answer in time" : std::strerror(errno))};
}

/// The threads of the process and of its children.
std::vector<std::pair<int, int>> threads_of(int process) {
  std::vector<std::pair<int, int>> threads;
  std::error_code gone;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), gone)) {
    threads.emplace_back(process, std::stoi(task.path().filename().string()));
    std::ifstream children(task.path() / "children");
    for (int child = 0; children >> child;) {
      const auto more = threads_of(child);
      threads.insert(threads.end(), more.begin(), more.end());
    }
  }
  return threads;
}

}  // namespace

Connection::Connection(int port, Nanos limit)
    : port_(port), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (socket_ < 0)
    throw lab::Failure(Error{ErrorCode::exhausted, Happened::no,
                             fmt::format("cannot make a socket: {}", std::strerror(errno))});
  const timeval time{std::chrono::duration_cast<std::chrono::seconds>(limit).count(),
                     (limit % 1s).count() / 1000};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);  // of connect, too
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  ::close(socket_);
}

bool Connection::connect() {
  if (!connected_) connected_ = lab::net::connect_to_loopback(socket_, port_) == 0;
  return connected_;
}

lab::Result<lab::net::Response> Connection::exchange(std::string_view request, Manner manner) {
  if (!connect()) return failed(ErrorCode::refused, Happened::no, "cannot connect");
  while (!request.empty()) {
    const auto slice = request.substr(0, manner.slice == 0 ? request.size() : manner.slice);
    const ssize_t sent = ::send(socket_, slice.data(), slice.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return failed(ErrorCode::closed, Happened::unknown, "cannot send");
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  if (manner.half_close) ::shutdown(socket_, SHUT_WR);
  while (true) {
    char buffer[16 * 1024];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(ErrorCode::closed, Happened::unknown, "cannot receive");
    if (got == 0) reader_.end_of_stream();
    reader_.feed({buffer, static_cast<std::size_t>(got)});
    if (auto response = reader_.next()) return std::move(*response);
    if (got == 0 || !reader_.problem().empty())
      return Error{ErrorCode::protocol, Happened::unknown,
                   reader_.problem().empty() ? "closed without an answer" : reader_.problem()};
  }
}

lab::Result<lab::net::Response> exchange(int port, std::string_view request, Manner manner,
                                         Nanos limit) {
  return Connection(port, limit).exchange(request, manner);
}

struct Interruptions::State {
  std::atomic<std::uint64_t> sent{0};
  std::jthread thread;  // last
};

Interruptions::Interruptions(int process) : state_(std::make_unique<State>()) {
  state_->thread = std::jthread([process, &sent = state_->sent](std::stop_token stopping) {
    while (!stopping.stop_requested()) {
      // Anew each time: a connection may have got a thread of its own.
      for (const auto& [of, thread] : threads_of(process))
        sent += ::syscall(SYS_tgkill, of, thread, SIGUSR1) == 0;
      std::this_thread::sleep_for(kBetweenSignals);
    }
  });
}

Interruptions::~Interruptions() = default;

std::uint64_t Interruptions::sent() const {
  return state_->sent;
}

}  // namespace blocking_vs_async_io
