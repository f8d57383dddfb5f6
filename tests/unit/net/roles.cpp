// The servers that the tests of this room start: one thread, one connection after the other.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "actors/role.h"
#include "core/result.h"
#include "net/http.h"
#include "net/loopback.h"
#include "net/server_process.h"

namespace {

using namespace lab;
using namespace lab::net;

int listen_somewhere() {
  const Listener listener = listen_on_loopback();
  ::fcntl(listener.socket, F_SETFL, 0);  // its accept() waits
  tell_port(listener.port);
  return listener.socket;
}

Response answer(const Request& request) {
  if (request.path() == "/echo") return {.body = request.body};
  if (request.path() == "/wrong") return {.body = "wrong"};
  if (request.path() == "/missing") return plain(404, "nothing here\n");
  return plain(200, "hello\n");
}

void converse(int client) {
  RequestReader reader;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(client, buffer, sizeof buffer)) > 0;) {
    reader.feed({buffer, static_cast<std::size_t>(got)});
    while (const auto request = reader.next()) {
      if (request->path() == "/cut") return;
      if (request->path() == "/never") continue;
      Response response = answer(*request);
      response.keep_alive = request->keep_alive;
      const std::string bytes = to_bytes(response);
      if (::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 || !response.keep_alive)
        return;
    }
  }
}

/// A thread for each connection, so simple that it is plainly right.
int echo(const std::string&) {
  const int listener = listen_somewhere();
  while (true) {
    pollfd waiting[2]{{listener, POLLIN, 0}, {stop_descriptor(), POLLIN, 0}};
    ::poll(waiting, 2, -1);
    if (waiting[1].revents) return 0;
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::thread([client] {
      converse(client);
      ::close(client);
    }).detach();
  }
}

/// Orders: how many descriptors it tries to open. The port is how many it got.
int hoard(const std::string& orders) {
  int got = 0;
  for (const int wanted = std::stoi(orders); got < wanted && ::dup(0) >= 0; ++got) {
  }
  tell_port(got);
  wait_for_stop();
  return 0;
}

/// Touches as many bytes as ordered, gives them back, and serves.
int breathe(const std::string& orders) {
  const std::size_t size = std::stoul(orders);
  // Not from the heap: a sanitizer would keep it.
  void* const much =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(much, 1, size);
  ::munmap(much, size);
  tell_port(1);
  wait_for_stop();
  return 0;
}

int deaf(const std::string&) {
  tell_port(1);
  while (true) ::pause();
}

int fail(const std::string& orders) {
  throw Failure("cannot serve " + orders);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = lab::actors::role_of(argc, argv);
  if (role == "echo") return serve_role(echo);
  if (role == "hoard") return serve_role(hoard);
  if (role == "breathe") return serve_role(breathe);
  if (role == "deaf") return serve_role(deaf);
  if (role == "fail") return serve_role(fail);
  if (role == "exit") return 5;
  return 2;
}
