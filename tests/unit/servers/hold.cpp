// hold_servers [--paused] KIND...: starts the servers, prints "KIND PID PORT FOLDER" for each and "ready", and
// waits. SIGTERM ends it in good order. Status 3 and one line on stderr when a server cannot start.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/stop.h"
#include "servers/server.h"

namespace {

using namespace lab;
using servers::Server;

template <class Made>
std::unique_ptr<Server> announced(Result<std::unique_ptr<Made>> made) {
  if (!made) throw Failure(made.error());
  auto server = std::move(*made);
  std::printf("%s %d %d %s\n", server->kind().c_str(), server->pid(), server->port(),
              server->folder().c_str());
  return server;
}

std::unique_ptr<Server> start(servers::Supervisor& supervisor, const std::string& kind) {
  if (kind == "redis") return announced(supervisor.redis({.tcp = true}));
  if (kind == "mariadb") return announced(supervisor.mariadb({.tcp = true}));
  if (kind == "rabbitmq") return announced(supervisor.rabbitmq());
  return announced(supervisor.postgres({.tcp = true}));
}

}  // namespace

int main(int count, char** words) try {
  handle_stop_signals();
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  servers::Supervisor supervisor;
  std::vector<std::unique_ptr<Server>> running;
  bool paused = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--paused")
      paused = true;
    else
      running.push_back(start(supervisor, word));
  }
  for (const auto& server : running) {
    if (paused) server->pause().value();
  }
  std::puts("ready");
  while (sleep_for(1h)) {
  }
  return 0;
} catch (const Failure& failure) {
  std::fprintf(stderr, "%s\n", describe(failure.error()).c_str());
  return 3;
}
