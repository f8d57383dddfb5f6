#pragma once
// Processes of this executable in another role, so that a crash is a real one: SIGKILL, and nobody cleans up. Where the
// point of a scenario is a crash, its clients or workers are actors.
//
// An actor is started without a shell, as `PROGRAM --role=NAME`. Its orders come on its standard input, because they may
// hold passwords; that stays open, and its end tells the actor that the run is gone (actors/role.h). The kernel is told
// too (PR_SET_PDEATHSIG), so nothing survives a run that was killed -9. What an actor prints is thrown away; its standard
// error is the run's. Ctrl-C does not reach it: the run decides when its actors end.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::actors {

/// How a process ended.
struct Ending {
  int status = 0;  // the exit status; 0 when a signal ended it
  int signal = 0;  // 0 when it exited by itself
  bool killed() const { return signal != 0; }
};

/// "exited with status 3", "was ended by signal 9"
std::string describe(const Ending& ending);

struct ActorOptions {
  std::string role;
  std::string orders;     // any text, of any size
  std::vector<int> cpus;  // empty: those of the run
  std::string program = "/proc/self/exe";
};

/// One process. Thread-safe.
class Actor {
 public:
  /// Returns when the process has its orders. Throws Failure when it cannot be started.
  explicit Actor(const ActorOptions& options);
  ~Actor();  // kills it
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  pid_t pid() const;

  /// Nothing happens to one that has ended. Signals reach this process alone, not what it may have started.
  void kill();       // SIGKILL; reaped when this returns
  void pause();      // SIGSTOP; stopped when this returns
  void resume();     // SIGCONT
  void terminate();  // SIGTERM; asks it to finish

  /// Reaps it. Nothing when it still runs after the limit; any number of calls give the same answer.
  std::optional<Ending> wait(Nanos limit);

  /// What the actor told with tell_run(), a line at a time. Errors: timeout (no) · closed (it ended; no).
  Result<std::string> next_line(Nanos limit);

  /// Moves all its threads. Errors: not_found (it has ended; no) · invalid (no such CPU; no).
  Result<void> place(const std::vector<int>& cpus);

  /// Readable when the process has ended: for poll(). Valid as long as this object.
  int ended_descriptor() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::actors
