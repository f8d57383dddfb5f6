#pragma once
// A variant that is a server, in a process of its own: the executable again, in the role "serve" (actors/actor.h). So what
// it costs is what the kernel says of that process, a limit is a real one, and a hang or a crash is its own. Nothing of it
// survives the run, whichever way that ends.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/actor.h"
#include "core/clock.h"
#include "core/result.h"

namespace lab::net {

inline constexpr const char* kServeRole = "serve";

/// What the kernel lets the process have; none: as much as the run itself.
struct ProcessLimits {
  std::optional<std::uint64_t> open_descriptors;  // RLIMIT_NOFILE
  /// RLIMIT_AS; sanitizers need far more than they use.
  std::optional<std::uint64_t> address_space_bytes;
};

/// What it has cost so far: the process and its children that run.
struct Usage {
  std::uint64_t resident_bytes = 0;       // VmRSS; pages that processes share count for each
  std::uint64_t peak_resident_bytes = 0;  // VmHWM since the start or reset_peak()
  std::size_t open_descriptors = 0;
  std::size_t most_open_descriptors = 0;  // of any one of the processes: a limit is of each
  std::size_t threads = 0;
  std::vector<pid_t> processes;  // itself first
  /// User and system, in steps of the kernel's clock tick (10 ms); ended children that were waited for count.
  Nanos cpu{};
};

struct ServerOptions {
  std::string orders;  // for serve_role's function
  ProcessLimits limits;
  std::vector<int> cpus;  // empty: those of the run
  Nanos start_limit = 10s;
  std::string role = kServeRole;
  std::string program = "/proc/self/exe";
};

/// Thread-safe.
class ServerProcess {
 public:
  /// Returns when it accepts connections. Throws Failure with what it said when it cannot serve.
  explicit ServerProcess(const ServerOptions& options);
  ~ServerProcess();  // kills it
  ServerProcess(ServerProcess&&) noexcept;
  ServerProcess& operator=(ServerProcess&&) noexcept;

  int port() const;  // of 127.0.0.1
  pid_t pid() const;

  /// Errors: not_found (it has ended; no).
  Result<Usage> usage() const;
  /// From now on peak_resident_bytes counts anew.
  void reset_peak();

  /// SIGTERM, then SIGKILL when it has not ended within the limit.
  actors::Ending stop(Nanos limit = 5s);
  void kill();
  void pause();
  void resume();
  /// Has it ended by itself, or by a signal of the kernel's?
  std::optional<actors::Ending> ended();
  actors::Actor& actor();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Of any process, as ServerProcess::usage() tells it.
Result<Usage> usage_of(pid_t process);

/// Prints {"listen":"127.0.0.1:PORT"} on stdout, waits until a stop is requested (core/stop.h) or the server ends, and
/// stops it: the end of a Scenario::serve. Returns the exit status.
int serve_until_stopped(ServerProcess& server);

// The child's side, in the scenario's main:
//   if (role_of(argc, argv) == kServeRole) return serve_role([](const std::string& orders) { … });

/// Takes the orders, puts the limits in force, blocks SIGTERM and SIGINT; then `serve(orders)`, which calls tell_port()
/// when it accepts, and returns the exit status once it has been told to stop. What it throws is told to the run.
int serve_role(const std::function<int(const std::string& orders)>& serve);
void tell_port(int port);

/// Readable, for as long as the process lives, once it has been told to stop: for loops that wait for events.
int stop_descriptor();
void wait_for_stop();

}  // namespace lab::net
