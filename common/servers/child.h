#pragma once
// What all servers have in common: a folder, a process, a way to ask whether it answers.

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "servers/channel.h"
#include "servers/server.h"

namespace lab::servers {

/// What is particular to one server.
struct ChildParts {
  std::string kind, version;
  User user;
  std::filesystem::path folder;
  std::function<std::vector<std::string>()> arguments;
  std::function<std::vector<std::string>()> environment = {};  // may be empty
  std::function<Result<void>()> before_start;                  // may be empty
  /// True once it answers its own protocol; false: not yet. An error gives up.
  std::function<Result<bool>()> answers;
};

/// One server process under the supervisor. Thread-safe. The destructor kills it and removes its
/// folder.
class Child {
 public:
  Child(std::shared_ptr<Supervisor::Channel> channel, ChildParts parts);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Result<void> start();
  Result<void> kill();
  Result<void> pause();
  Result<void> resume();
  int pid() const;
  const ChildParts& parts() const { return parts_; }
  std::filesystem::path log() const { return parts_.folder / "server.log"; }

 private:
  Result<bool> running() const;
  Result<void> wait_until_it_answers();

  const std::shared_ptr<Supervisor::Channel> channel_;
  const ChildParts parts_;
  mutable std::mutex mutex_;
  pid_t pid_ = 0;
  bool paused_ = false;
};

/// Gives a Server interface its process.
template <class Interface>
class ChildServer : public Interface {
 public:
  std::string kind() const override { return child().parts().kind; }
  std::string version() const override { return child().parts().version; }
  int pid() const override { return child().pid(); }
  const std::filesystem::path& folder() const override { return child().parts().folder; }
  Result<void> start() override { return child().start(); }
  Result<void> kill() override { return child().kill(); }
  Result<void> pause() override { return child().pause(); }
  Result<void> resume() override { return child().resume(); }

 protected:
  void adopt(std::unique_ptr<Child> child) { child_ = std::move(child); }
  Child& child() const { return *child_; }

 private:
  std::unique_ptr<Child> child_;
};

/// Starts a server, with another port when somebody else took the one it was to have.
Result<void> start_on_a_free_port(Server& server, int& port, const std::filesystem::path& log);

}  // namespace lab::servers
