#pragma once
// The run's end of the connection to its supervisor process. Thread-safe: one question at a time.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "servers/message.h"
#include "servers/server.h"

namespace lab::servers {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};
User this_user();

struct Command {
  std::vector<std::string> arguments;  // the program's path first; passwords never
  User user;
  std::filesystem::path folder;  // where it runs, and writes LOG
  std::string log = "server.log";
  std::vector<std::string> environment = {};  // "NAME=value", beside the few that every server gets
};

class Supervisor::Channel {
 public:
  /// Starts lab_supervisor, which must lie beside the running program. Throws Failure.
  Channel();
  ~Channel();  // ends the supervisor, and with it all that it started
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void place(std::vector<int> cpus);

  /// An empty parent means the temporary folder. Removed by remove_folder or with the supervisor.
  Result<std::filesystem::path> make_folder(User user, const std::filesystem::path& parent = {});
  Result<void> remove_folder(const std::filesystem::path& folder);

  Result<pid_t> spawn(const Command& command);
  Result<void> kill(pid_t pid);
  Result<void> stop(pid_t pid);
  Result<void> resume(pid_t pid);
  /// "running", "gone", "ended with status 1", "was ended by signal 9".
  Result<std::string> state(pid_t pid);

  /// Runs a command to its end; an Error with its last log line unless the status is 0.
  Result<void> run(const Command& command, Nanos limit);

  /// Prepared data folders of this run, by key (servers/template.h).
  std::mutex templates_mutex;
  std::map<std::string, std::filesystem::path> templates;

 private:
  Result<Fields> ask(const Fields& question);
  Result<void> command(const char* verb, const std::string& argument);

  std::mutex mutex_;
  int socket_ = -1;
  pid_t supervisor_ = 0;
  std::string cpus_;
};

}  // namespace lab::servers
