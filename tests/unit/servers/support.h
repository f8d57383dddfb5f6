#pragma once
// What the tests of servers share: programs, and looking at the machine from outside.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "servers/server.h"
#include "test_support.h"

namespace lab::servers::test {

namespace fs = std::filesystem;

using lab::test::eventually;
using lab::test::must;
using lab::test::TestFolder;

/// Sends the bytes to a Unix socket and receives once; empty when nothing came within the limit.
std::string ask(const fs::path& socket, const std::string& bytes, Nanos limit = 5s);

/// Sets an environment variable for as long as it lives.
class Variable {
 public:
  Variable(std::string name, const std::string& value);
  ~Variable();

 private:
  std::string name_, before_;
  bool was_set_;
};

/// Another program, started with some variables of its own; killed at the end if it still runs.
class Program {
 public:
  Program(std::vector<std::string> arguments, std::map<std::string, std::string> variables);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  /// The next line of stdout and stderr together; empty at their end.
  std::string next_line();
  std::vector<std::string> lines_up_to(const std::string& last);
  void signal(int number);
  int wait();  // its status; 128 + number when a signal ended it

 private:
  pid_t pid_ = 0;
  int output_ = -1;
  std::string unread_;
};

/// A stranger on a port of 127.0.0.1, for as long as it lives; whoever connects gets no word.
class Listener {
 public:
  explicit Listener(int port);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  int socket_;
};

/// The path of a program that lies beside this test.
fs::path beside_this_test(const std::string& name);

/// All that a program prints, to its end.
std::string output_of(std::vector<std::string> arguments,
                      std::map<std::string, std::string> variables = {});

pid_t child_of(pid_t parent);
std::vector<pid_t> descendants_of(pid_t root);

/// Local addresses that these processes listen on over TCP, "127.0.0.1" or "::" ….
std::vector<std::string> listening_addresses(const std::vector<pid_t>& pids);

/// Command lines on this machine that contain the text.
std::vector<std::string> command_lines_with(const std::string& text);

}  // namespace lab::servers::test
