#include "actors/role.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <mutex>
#include <string_view>
#include <thread>

#include "core/result.h"

namespace lab::actors {
namespace {

constexpr std::string_view kFlag = "--role=";
constexpr int kRunIsGone = 130;

/// What came; 0 when the run is gone.
std::size_t read_some(char* into, std::size_t room) {
  ssize_t got = 0;
  do {
    got = ::read(STDIN_FILENO, into, room);
  } while (got < 0 && errno == EINTR);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void read_whole(char* into, std::size_t size) {
  while (size > 0) {
    const std::size_t got = read_some(into, size);
    if (got == 0) throw Failure("the run went before it had given its orders");
    into += got;
    size -= got;
  }
}

/// "1234\n": the orders' size.
std::size_t read_size() {
  std::string digits;
  while (true) {
    char c = 0;
    read_whole(&c, 1);
    if (c == '\n') break;
    digits += c;
  }
  std::size_t size = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size())
    throw Failure("a role is for processes that a run has started");
  return size;
}

void watch_the_run() {
  char ignored[64];
  while (read_some(ignored, sizeof ignored) > 0) {
  }
  ::_exit(kRunIsGone);
}

}  // namespace

std::string role_of(int argc, const char* const* argv) {
  if (argc != 2) return {};
  const std::string_view word = argv[1];
  return word.starts_with(kFlag) ? std::string(word.substr(kFlag.size())) : std::string();
}

std::string take_orders() {
  std::string orders(read_size(), '\0');
  read_whole(orders.data(), orders.size());
  std::thread(watch_the_run).detach();
  return orders;
}

void tell_run(std::string line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t sent = ::send(STDIN_FILENO, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace lab::actors
