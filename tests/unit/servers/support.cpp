#include "support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "servers/process.h"
#include "servers/wire.h"

extern char** environ;

namespace lab::servers::test {
namespace {

std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (!variables.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// The inodes of a process's sockets.
void collect_sockets(pid_t pid, std::set<std::string>& inodes) {
  std::error_code error;
  const auto folder = fs::path("/proc") / std::to_string(pid) / "fd";
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const auto target = fs::read_symlink(entry->path(), gone).string();
    if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
  }
}

/// "0100007F" of /proc/net/tcp: each 32-bit word in the machine's byte order.
std::string readable_address(const std::string& hexadecimal) {
  std::uint32_t words[4] = {};
  for (std::size_t i = 0; i * 8 < hexadecimal.size() && i < 4; ++i) {
    words[i] = static_cast<std::uint32_t>(std::stoul(hexadecimal.substr(i * 8, 8), nullptr, 16));
  }
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(hexadecimal.size() == 8 ? AF_INET : AF_INET6, words, text, sizeof text);
  return text;
}

}  // namespace

std::string ask(const fs::path& socket, const std::string& bytes, Nanos limit) {
  auto wire = Wire::open(socket, limit);
  if (!wire || !wire->send(bytes)) return {};
  const auto line = wire->receive_line();
  return line ? *line : std::string{};
}

Variable::Variable(std::string name, const std::string& value) : name_(std::move(name)) {
  const char* before = std::getenv(name_.c_str());
  was_set_ = before != nullptr;
  if (was_set_) before_ = before;
  ::setenv(name_.c_str(), value.c_str(), 1);
}

Variable::~Variable() {
  if (was_set_)
    ::setenv(name_.c_str(), before_.c_str(), 1);
  else
    ::unsetenv(name_.c_str());
}

Program::Program(std::vector<std::string> arguments, std::map<std::string, std::string> variables) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
  auto all_variables = environment_with(variables);
  const int error = posix_spawnp(&pid_, arguments[0].c_str(), &files, nullptr,
                                 pointers_to(arguments).data(), pointers_to(all_variables).data());
  posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  output_ = ends[0];
  if (error != 0) throw std::runtime_error("cannot start " + arguments[0]);
}

Program::~Program() {
  if (pid_ != 0) {
    signal(SIGKILL);
    wait();
  }
  ::close(output_);
}

std::string Program::next_line() {
  for (std::size_t end; (end = unread_.find('\n')) == std::string::npos;) {
    char buffer[4096];
    pollfd readable{output_, POLLIN, 0};
    if (::poll(&readable, 1, 60'000) != 1) throw std::runtime_error("the program says nothing");
    const ssize_t got = ::read(output_, buffer, sizeof buffer);
    if (got <= 0) return std::exchange(unread_, {});
    unread_.append(buffer, static_cast<std::size_t>(got));
  }
  const auto end = unread_.find('\n');
  auto line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

std::vector<std::string> Program::lines_up_to(const std::string& last) {
  std::vector<std::string> lines;
  for (auto line = next_line(); !line.empty(); line = next_line()) {
    lines.push_back(line);
    if (line == last) return lines;
  }
  throw std::runtime_error("the program ended: " + (lines.empty() ? "" : lines.back()));
}

void Program::signal(int number) {
  ::kill(pid_, number);
}

int Program::wait() {
  int status = 0;
  ::waitpid(std::exchange(pid_, 0), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Listener::Listener(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;  // connections to the one before it may linger
  ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket_, 8) != 0) {
    throw std::runtime_error("cannot listen");
  }
}

Listener::~Listener() {
  ::close(socket_);
}

fs::path beside_this_test(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

std::string output_of(std::vector<std::string> arguments,
                      std::map<std::string, std::string> variables) {
  Program program(std::move(arguments), std::move(variables));
  std::string all;
  for (auto line = program.next_line(); !line.empty(); line = program.next_line()) {
    all += line + "\n";
  }
  return all;
}

pid_t child_of(pid_t parent) {
  for (const auto& process : all_processes()) {
    if (process.parent == parent) return process.pid;
  }
  return 0;
}

std::vector<pid_t> descendants_of(pid_t root) {
  std::vector<pid_t> pids;
  for (const auto& process : tree_of(root, all_processes())) {
    if (process.pid != root) pids.push_back(process.pid);
  }
  return pids;
}

std::vector<std::string> listening_addresses(const std::vector<pid_t>& pids) {
  std::set<std::string> inodes;
  for (const pid_t pid : pids) collect_sockets(pid, inodes);
  std::vector<std::string> addresses;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // the headings
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string word[10];
      for (auto& one : word) words >> one;
      const bool listens = word[3] == "0A";
      if (!listens || !inodes.contains(word[9])) continue;
      addresses.push_back(readable_address(word[1].substr(0, word[1].find(':'))));
    }
  }
  return addresses;
}

std::vector<std::string> command_lines_with(const std::string& text) {
  std::vector<std::string> found;
  for (const auto& process : all_processes()) {
    std::ifstream file("/proc/" + std::to_string(process.pid) + "/cmdline");
    std::string line;
    std::getline(file, line, '\n');  // empty when the process has gone meanwhile
    if (line.find(text) != std::string::npos) found.push_back(line);
  }
  return found;
}

}  // namespace lab::servers::test
