#include "servers/child.h"

#include <fstream>

#include "core/log.h"
#include "core/stop.h"
#include "servers/files.h"
#include "servers/wire.h"

namespace lab::servers {
namespace {

// Far above what was ever seen on a busy machine (PostgreSQL after kill -9: below a second).
constexpr auto kStartLimit = 30s;
constexpr auto kBetweenQuestions = 1ms;

/// In words, or as Erlang names the error, somewhere in a long term.
bool says_port_in_use(const std::filesystem::path& log) {
  if (last_line(log).find("in use") != std::string::npos) return true;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    if (line.find("eaddrinuse") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Child::Child(std::shared_ptr<Supervisor::Channel> channel, ChildParts parts)
    : channel_(std::move(channel)), parts_(std::move(parts)) {}

Child::~Child() {
  if (auto killed = kill(); !killed) log::debug("{}", describe(killed.error()));
  if (auto removed = channel_->remove_folder(parts_.folder); !removed) {
    log::debug("{}", describe(removed.error()));
  }
}

Result<bool> Child::running() const {
  if (pid_ == 0) return false;
  auto state = channel_->state(pid_);
  if (!state) return state.error();
  return *state == "running";
}

int Child::pid() const {
  const std::lock_guard lock(mutex_);
  const auto is_running = running();
  return is_running && *is_running ? pid_ : 0;
}

Result<void> Child::start() {
  const std::lock_guard lock(mutex_);
  const auto is_running = running();
  if (!is_running) return is_running.error();
  if (*is_running && !paused_) return {};
  if (*is_running) {
    return Error{ErrorCode::invalid, Happened::no, parts_.kind + " is paused: resume it"};
  }
  if (parts_.before_start) {
    if (auto ready = parts_.before_start(); !ready) return ready;
  }
  const auto began = now();
  Command command{parts_.arguments(), parts_.user, parts_.folder};
  if (parts_.environment) command.environment = parts_.environment();
  const auto pid = channel_->spawn(command);
  if (!pid) return pid.error();
  pid_ = *pid;
  paused_ = false;
  if (auto answering = wait_until_it_answers(); !answering) {
    (void)channel_->kill(pid_);
    pid_ = 0;
    return answering;
  }
  log::info("{} {} answers after {:.0f} ms", parts_.kind, parts_.version,
            milliseconds(now() - began));
  return {};
}

Result<void> Child::wait_until_it_answers() {
  const auto give_up = now() + kStartLimit;
  while (now() < give_up) {
    const auto answer = parts_.answers();
    if (!answer) return answer.error();
    if (*answer) return {};
    const auto state = channel_->state(pid_);
    if (!state) return state.error();
    if (*state != "running") {
      return Error{ErrorCode::unavailable, Happened::no,
                   parts_.kind + " " + *state + " before it answered: " + last_line(log())};
    }
    if (!sleep_for(kBetweenQuestions)) {
      return Error{ErrorCode::closed, Happened::no, "the start of " + parts_.kind + " was stopped"};
    }
  }
  return Error{ErrorCode::timeout, Happened::no,
               parts_.kind + " did not answer within 30 s: " + last_line(log())};
}

Result<void> Child::kill() {
  const std::lock_guard lock(mutex_);
  if (pid_ == 0) return {};
  auto killed = channel_->kill(pid_);
  if (killed) pid_ = 0;
  if (killed) paused_ = false;
  return killed;
}

Result<void> Child::pause() {
  const std::lock_guard lock(mutex_);
  auto stopped = channel_->stop(pid_);
  if (stopped) paused_ = true;
  return stopped;
}

Result<void> Child::resume() {
  const std::lock_guard lock(mutex_);
  auto resumed = channel_->resume(pid_);
  if (resumed) paused_ = false;
  return resumed;
}

Result<void> start_on_a_free_port(Server& server, int& port, const std::filesystem::path& log) {
  for (int attempt = 1;; ++attempt) {
    auto started = server.start();
    const bool clash = !started && says_port_in_use(log);
    if (!clash || attempt == 5) return started;
    const auto another = free_port();
    if (!another) return another.error();
    port = *another;
  }
}

}  // namespace lab::servers
